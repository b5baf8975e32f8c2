// SPDX-License-Identifier: Apache-2.0
import { VfioError, VfioSystemError } from '../errors.ts'
import type { DeviceFacts, KernelFacts } from '../host/facts.ts'
import { isOlderThan } from '../host/kernel.ts'
import { migratingDriver } from '../host/list.ts'
import { driverManners } from '../kernel/drivers.ts'
import { errnoName } from '../kernel/errno.ts'
import { bindRemedy, noMigratingDriver } from './binding.ts'
import { explain, type Explanation, type Rule } from './rule.ts'

/** A device that answered VFIO_DEVICE_FEATURE_MIGRATION with an error. */
export interface NotMigratable {
  /** What messages call it. */
  readonly name: string
  /** Undefined for a lent fd of which nothing is known. */
  readonly device: DeviceFacts | undefined
  /** -errno. */
  readonly answer: number
  readonly kernel: KernelFacts
}

const protocolSince = '5.18'

/** The driver that is bound is one that migrates. */
function boundRow({ device }: NotMigratable): ReturnType<typeof driverManners> {
  const row = driverManners(device?.driver)
  return row?.since === undefined ? undefined : row
}

function since(
  { driver, since }: { driver: string; since?: string | undefined },
  kernel: KernelFacts,
): string {
  return since !== undefined && isOlderThan(kernel.release, since)
    ? `${driver} migrates from Linux ${since} on, and this is ${kernel.release}; distributions port it back.`
    : ''
}

/** The commands that make an mlx5 function migratable; they need it unbound. */
function devlinkCommands({ name, physfn }: DeviceFacts): string {
  const pf = `pci/${physfn?.name ?? 'PF'}`
  const lines = [
    `echo ${name} > /sys/bus/pci/devices/${name}/driver/unbind`,
    `devlink dev eswitch set ${pf} mode switchdev`,
    `devlink port show`,
    `devlink port function set ${pf}/INDEX migratable enable`,
    `echo ${name} > /sys/bus/pci/drivers_probe`,
  ]
  return lines.map(line => `  ${line}`).join('\n')
}

/** Why a device does not migrate. */
export const migratableRules: readonly Rule<NotMigratable>[] = [
  {
    id: 'failed',
    applies: ({ answer }) => errnoName(answer) !== 'ENOTTY',
    cause: ({ name }) => `The kernel could not ask ${name}.`,
    remedy: () => 'The device may be suspended or gone; dmesg may say more.',
  },
  {
    id: 'kernel-too-old',
    applies: ({ kernel }) => isOlderThan(kernel.release, protocolSince),
    cause: ({ kernel }) => `Linux ${kernel.release} does not know version 2 of the migration protocol.`,
    remedy: () => `It came with Linux ${protocolSince}.`,
  },
  {
    id: 'unknown-device',
    applies: ({ device }) => device === undefined,
    cause: ({ name }) => `The driver that ${name} is bound to does not migrate it.`,
    remedy: () => 'Which driver that is, the owner of the fd knows: vfio-migrate show ADDRESS tells more.',
  },
  {
    id: 'driver-too-old',
    applies: subject => {
      const row = boundRow(subject)
      return row?.since !== undefined && isOlderThan(subject.kernel.release, row.since)
    },
    cause: subject => since(boundRow(subject) ?? { driver: 'the driver' }, subject.kernel),
    remedy: () => 'Run a newer kernel.',
  },
  {
    id: 'mlx5-not-migratable',
    applies: ({ device }) => device?.driver === 'mlx5_vfio_pci',
    cause: ({ name }) =>
      `${name} is bound to mlx5_vfio_pci, and its port is not migratable, or the firmware cannot migrate.`,
    remedy: ({ device }) =>
      device === undefined
        ? ''
        : `Make the port migratable while it is unbound:\n${devlinkCommands(device)}\n` +
          'Where devlink answers EOPNOTSUPP the firmware lacks it: mlxconfig set VF_MIGRATION_MODE=2, or newer firmware.',
  },
  {
    id: 'virtio-no-device-parts',
    applies: ({ device }) => device?.driver === 'virtio_vfio_pci',
    cause: ({ name }) =>
      `${name} is bound to virtio_vfio_pci, and its physical function does not offer device parts.`,
    remedy: () =>
      'The PF must be bound to virtio-pci and support the admin commands for device parts of virtio 1.4.',
  },
  {
    id: 'driver-declines',
    applies: subject => boundRow(subject) !== undefined,
    cause: ({ name, device }) =>
      `${name} is bound to ${device?.driver}, which does not offer migration for it.`,
    remedy: ({ device }) =>
      `The firmware, or the driver of ${device?.physfn?.name ?? 'its physical function'}, lacks it; dmesg may say more.`,
  },
  {
    id: 'other-driver',
    applies: ({ device }) => device !== undefined && migratingDriver(device) !== undefined,
    cause: ({ name, device, kernel }) => {
      const row = device && migratingDriver(device)
      const head = `${name} is bound to ${device?.driver}, which does not migrate.`
      return [head, row && since(row, kernel)].filter(Boolean).join(' ')
    },
    remedy: ({ device }) => (device === undefined ? '' : bindRemedy(device)),
  },
  {
    id: 'no-driver-migrates',
    applies: () => true,
    cause: ({ name, device }) => `${name} is bound to ${device?.driver}, which does not migrate.`,
    remedy: ({ device }) => (device === undefined ? '' : noMigratingDriver(device)),
  },
]

/** The row that tells why a device does not migrate. */
export function whyNotMigratable(subject: NotMigratable): Explanation {
  return explain(migratableRules, subject)
}

/** The ERR_VFIO_NOT_MIGRATABLE for a device that answered `answer` to VFIO_DEVICE_FEATURE_MIGRATION. */
export function explainNotMigratable(subject: NotMigratable): VfioError {
  const { cause, remedy } = whyNotMigratable(subject)
  const head = `${subject.name} does not migrate: VFIO_DEVICE_FEATURE_MIGRATION answered ${errnoName(subject.answer)}.`
  const call = { syscall: 'ioctl', request: 'VFIO_DEVICE_FEATURE_MIGRATION' }
  return new VfioError('ERR_VFIO_NOT_MIGRATABLE', `${head} ${cause} ${remedy}`, {
    device: subject.name,
    cause: new VfioSystemError(subject.answer, call, { device: subject.name }),
  })
}
