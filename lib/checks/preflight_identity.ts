// SPDX-License-Identifier: Apache-2.0
import type { PciFacts } from '../host/facts.ts'
import { isOlderThan } from '../host/kernel.ts'
import type { HardwareFacts } from '../host/hardware.ts'
import type { SideFacts } from './preflight_facts.ts'
import { differ, perDevice, perPair, type PairSubject, type PreflightRule } from './preflight_rule.ts'

/** A row about something that both devices have to have alike, as text. */
function alike(
  id: string,
  what: string,
  of: (hardware: HardwareFacts) => string | undefined,
  { why, remedy }: { readonly why: string; readonly remedy: string },
): PreflightRule {
  const value = ({ hardware }: SideFacts): string | undefined => hardware && of(hardware)
  return perPair({
    id,
    level: 'refuse',
    applies: ({ from, to }) => differ(value(from), value(to)),
    cause: ({ from, to }) => `'${from.name}' has ${what} ${value(from)}, '${to.name}' ${value(to)}: ${why}.`,
    remedy: () => remedy,
  })
}

/** The ids of a function, as lspci has them; undefined where sysfs does not show them. */
function id(part: (pci: PciFacts) => string): (hardware: HardwareFacts) => string | undefined {
  return ({ pci }) => (pci === undefined || part(pci) === '' ? undefined : part(pci))
}

const otherKind = {
  why: 'a state only fits the kind of device that made it',
  remedy: 'Name a destination of the same kind.',
}

const vendorRule = {
  why: 'the vendor supports moves between equal boards and firmware only',
  remedy: 'Bring both to the same firmware, or name another destination.',
}

/** What devlink shows of a port that decides what the function can do. */
const comparedAttributes = ['roce', 'ipsec_crypto', 'ipsec_packet', 'max_io_eqs']

function differingAttributes({ from, to }: PairSubject): string[] {
  const [one, other] = [from.hardware?.port?.attributes, to.hardware?.port?.attributes]
  return comparedAttributes.filter(name => differ(one?.[name], other?.[name]))
}

/** The kernel from which on NVIDIA supports migration. */
const mlx5Since = '6.7'

/** What has to be alike on both sides. */
export const identityRules: readonly PreflightRule[] = [
  alike('vendor-differs', 'vendor', id(pci => pci.vendor), otherKind),
  alike('device-differs', 'device id', id(pci => pci.device), otherKind),
  alike(
    'subsystem-differs', 'subsystem', id(({ subsystemVendor: vendor, subsystemDevice: device }) =>
      vendor === '' || device === '' ? '' : `${vendor}:${device}`), otherKind,
  ),
  alike('class-differs', 'class', id(pci => pci.class), otherKind),
  alike('mdev-type-differs', 'type', ({ mdevType }) => mdevType, otherKind),
  alike('board-differs', 'a board with PSID', ({ firmware }) => firmware.board, vendorRule),
  alike('firmware-differs', 'firmware', ({ firmware }) => firmware.version, vendorRule),
  perPair({
    id: 'attributes-differ',
    level: 'refuse',
    applies: subject => differingAttributes(subject).length > 0,
    cause: subject => {
      const values = ({ hardware }: SideFacts): string =>
        differingAttributes(subject).map(name => `${name} ${hardware?.port?.attributes[name]}`).join(', ')
      const { from, to } = subject
      return `The port of '${from.name}' has ${values(from)}, that of '${to.name}' ${values(to)}: a state needs what its device could do.`
    },
    remedy: subject => {
      const { from, to } = subject
      const [one, handle] = [from.hardware?.port?.attributes, to.hardware?.port?.handle]
      const words = differingAttributes(subject).map(name => `${name} ${one?.[name]}`)
      return `While '${to.name}' is unbound: devlink port function set ${handle} ${words.join(' ')}.`
    },
  }),
  perPair({
    id: 'kernel-differs',
    level: 'warn',
    applies: ({ machines }) => differ(machines.from.release, machines.to.release),
    cause: ({ from, to, machines }) =>
      `'${from.name}' is on Linux ${machines.from.release}, '${to.name}' on ${machines.to.release}: the stream of a driver may change from one to the other.`,
    remedy: () => 'Run the same kernel on both, or move a device that nobody needs first.',
  }),
  perDevice({
    id: 'kernel-early',
    level: 'warn',
    applies: ({ device, role, move: { machines } }) => {
      const { release } = role === 'source' ? machines.from : machines.to
      return device.driver === 'mlx5_vfio_pci' && !device.mock && release !== undefined && isOlderThan(release, mlx5Since)
    },
    cause: ({ device, role, move: { machines } }) =>
      `'${device.name}' is on Linux ${(role === 'source' ? machines.from : machines.to).release}: NVIDIA supports migration from ${mlx5Since} on.`,
    remedy: () => 'Distributions port drivers back; otherwise run a newer kernel.',
  }),
] // prettier-ignore
