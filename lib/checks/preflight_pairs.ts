// SPDX-License-Identifier: Apache-2.0
import { driverManners } from '../kernel/drivers.ts'
import { preCopyStates, savingGroup, type StateName } from '../kernel/state.ts'
import type { Move, SideFacts } from './preflight_facts.ts'
import {
  onOneMachine,
  over,
  perDevice,
  perPair,
  type DeviceSubject,
  type PreflightRule,
} from './preflight_rule.ts'

/** `fd:N` is a number of one process, and no name of a device. */
const isNumber = /^fd:/

/** By name only where the kernel has the name from the machine: each mock of one name is another one. */
function isOneDevice(one: SideFacts, other: SideFacts, sameMachine: boolean): boolean {
  if (one.handle === other.handle) return true
  if (one.mock || other.mock || !sameMachine) return false
  return one.name === other.name && !isNumber.test(one.name)
}

/** Two that are known by name are two; a number, and a mock that is known by its name alone, may be any. */
function mayBeOneDevice(one: SideFacts, other: SideFacts, sameMachine: boolean): boolean {
  if (!sameMachine || one.mock !== other.mock) return false
  return one.name === other.name || (!one.mock && (isNumber.test(one.name) || isNumber.test(other.name)))
}

interface Repeated {
  readonly device: SideFacts
}

/** The devices that are in more than one pair. */
const perRepeated = over<Repeated>(({ pairs, machines }: Move) => {
  const entries = pairs.flatMap(({ from, to }, pair) => [
    { device: from, pair, side: 'from' },
    { device: to, pair, side: 'to' },
  ])
  return entries.filter((entry, index) =>
    entries
      .slice(0, index)
      .some(
        before =>
          before.pair !== entry.pair &&
          isOneDevice(before.device, entry.device, before.side === entry.side || onOneMachine(machines)),
      ),
  )
})

/** The states in which a device can be picked up, on either side. */
const freeStates: ReadonlySet<StateName> = new Set(['STOP', 'RUNNING', 'RUNNING_P2P'])

function isBusy({ state }: SideFacts): boolean {
  return state !== undefined && !freeStates.has(state)
}

function stateRemedy({ device: { name, state } }: DeviceSubject): string {
  if (state === 'ERROR') return `Only a reset leaves ERROR: reset '${name}'.`
  if (state === 'RESUMING')
    return `Let whoever loads it finish, or reset '${name}': only that abandons a load.`
  if (state !== undefined && preCopyStates.has(state))
    return `Let whoever saves it finish, or set it to RUNNING.`
  return savingGroup.has(state ?? 'STOP') ? `Let whoever saves it finish, or set it to STOP.` : ''
}

function stateCause({ device: { name, state } }: DeviceSubject): string {
  return `'${name}' is in ${state}: somebody else saves or loads it, or it has failed.`
}

/** Whether two devices can be a pair at all, and where they stand. */
export const pairRules: readonly PreflightRule[] = [
  perPair({
    id: 'same-device',
    level: 'refuse',
    overridable: false,
    applies: ({ from, to, machines }) => isOneDevice(from, to, onOneMachine(machines)),
    cause: ({ from }) => `'${from.name}' cannot be moved into itself.`,
    remedy: () => 'Name two devices.',
  }),
  perPair({
    id: 'apart-unproven',
    level: 'refuse',
    applies: ({ from, to, machines }) =>
      from.state === 'STOP' &&
      to.state === 'STOP' &&
      from.handle !== to.handle &&
      mayBeOneDevice(from, to, onOneMachine(machines)),
    cause: ({ from, to }) =>
      `'${from.name}' and '${to.name}' may be one device: both stand, so that stopping the one does not show whether it stops the other.`,
    remedy: ({ to }) => `Set '${to.name}' to RUNNING before, if it is another device.`,
  }),
  perRepeated({
    id: 'device-twice',
    level: 'refuse',
    overridable: false,
    applies: () => true,
    device: ({ device }) => device.name,
    cause: ({ device }) => `'${device.name}' is in two pairs of the set.`,
    remedy: () => 'Name each device once: a state has one home.',
  }),
  perDevice({
    id: 'not-migratable',
    level: 'refuse',
    overridable: false,
    applies: ({ device }) => !device.capabilities.stopCopy,
    cause: ({ device }) => device.notMigratable ?? `'${device.name}' does not migrate.`,
    remedy: () => 'vfio-migrate list shows the devices that do.',
  }),
  perPair({
    id: 'driver-differs',
    level: 'refuse',
    overridable: false,
    applies: ({ from, to }) =>
      from.driver !== undefined && to.driver !== undefined && from.driver !== to.driver,
    cause: ({ from, to }) =>
      `'${from.name}' is driven by ${from.driver}, '${to.name}' by ${to.driver}: a state only fits the driver that made it.`,
    remedy: ({ from }) => `Give it a destination under ${from.driver}.`,
  }),
  perDevice({
    id: 'source-state',
    level: 'refuse',
    overridable: false,
    applies: ({ device, role }) => role === 'source' && isBusy(device),
    cause: stateCause,
    remedy: stateRemedy,
  }),
  perDevice({
    id: 'destination-state',
    level: 'refuse',
    overridable: false,
    applies: ({ device, role }) => role === 'destination' && isBusy(device),
    cause: stateCause,
    remedy: stateRemedy,
  }),
  perDevice({
    id: 'no-dma-logging',
    level: 'refuse',
    overridable: false,
    applies: ({ device: { capabilities }, role, move: { options } }) =>
      role === 'source' &&
      options.dmaLogging !== undefined &&
      capabilities.stopCopy &&
      !capabilities.dmaLogging,
    cause: ({ device }) =>
      `'${device.name}' does not log its DMA: its driver, its firmware or this kernel lacks VFIO_DEVICE_FEATURE_DMA_LOGGING_START, _STOP or _REPORT.`,
    remedy: () =>
      'Leave dmaLogging out: have the IOMMU track what is written, or take all memory of the device as written.',
  }),
  perDevice({
    id: 'blank-source',
    level: 'warn',
    applies: ({ device, role }) =>
      role === 'source' && device.origin === 'opened' && !device.mock && device.hardware?.kind === 'pci',
    cause: ({ device }) =>
      `'${device.name}' was opened here, and opening a PCI function resets it: there is nothing but a blank state to move.`,
    remedy: () => 'Take the fd from the process that drives the device: openDevice({ fd }), or fd:N.',
  }),
  perPair({
    id: 'mock-and-real',
    level: 'warn',
    applies: ({ from, to }) => from.mock !== to.mock,
    cause: ({ from, to }) =>
      `'${from.mock ? from.name : to.name}' is simulated, '${from.mock ? to.name : from.name}' is not: what arrives is a simulated state, or a real one in a simulated device.`,
    remedy: () => 'For tests only. Otherwise name two devices of the kernel.',
  }),
  perDevice({
    id: 'driver-unknown',
    level: 'warn',
    applies: ({ device }) => driverManners(device.driver) === undefined,
    cause: ({ device }) =>
      device.driver === undefined
        ? `Which driver '${device.name}' has is not known: an fd of a group does not tell on this kernel.`
        : `The manners of ${device.driver}, which drives '${device.name}', are not known here.`,
    remedy: () => 'It is treated as vfio.h says. Move a device of the same kind for a test first.',
  }),
]
