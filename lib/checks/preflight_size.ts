// SPDX-License-Identifier: Apache-2.0
import type { MachineFacts } from '../host/machine.ts'
import type { Move, PairFacts } from './preflight_facts.ts'
import { over, perDevice, type PreflightRule } from './preflight_rule.ts'

type Role = 'source' | 'destination'

/**
 * Kernel memory that a driver takes, per byte of state: its buffers, pages and tables for DMA, charged to the cgroup of
 * who drives it. Without chunk mode, which cannot be seen from here; with it, it is less. Source: the buffers of
 * drivers/vfio/pci/mlx5/main.c.
 */
const kernelMemory: Readonly<Record<string, Readonly<Record<Role, number>>>> = {
  mlx5_vfio_pci: { source: 2.2, destination: 1.1 },
}

/**
 * Bytes of kernel memory that the devices of one side are going to take, as far as it is known. The destination's buffers
 * take the source's state, whatever it says of its own.
 */
export function kernelMemoryBytes(pairs: readonly PairFacts[], role: Role): number {
  return pairs
    .map(({ from, to }) => {
      const { driver, mock } = role === 'source' ? from : to
      const factor = mock ? 0 : (kernelMemory[driver ?? '']?.[role] ?? 0)
      return Math.ceil((from.stateBytes ?? 0) * factor)
    })
    .reduce((sum, bytes) => sum + bytes, 0)
}

/** Something that memory is taken from, and what the move takes from it. */
interface Budget {
  /** What tells it from others of its machine: containers see a cgroup `/` each. */
  readonly key: string
  readonly what: string
  /** memory.high slows down and does not refuse. */
  readonly soft: boolean
  readonly freeBytes: number
  readonly neededBytes: number
  readonly device: string
}

/** The two sides draw on one budget where they are on one machine, and in one cgroup. */
function budgetsOf(move: Move): Budget[] {
  const { machines, pairs } = move
  const budgets = new Map<string, Budget>()
  for (const [role, machine] of [
    ['source', machines.from],
    ['destination', machines.to],
  ] as const) {
    const neededBytes = kernelMemoryBytes(pairs, role)
    const [pair] = pairs
    if (pair === undefined || neededBytes === 0) continue
    const device = (role === 'source' ? pair.from : pair.to).name
    for (const room of roomsOf(machine)) {
      const key = `${machine.bootId} ${room.key}`
      const before = budgets.get(key)
      budgets.set(
        key,
        before === undefined
          ? { ...room, neededBytes, device }
          : { ...before, neededBytes: before.neededBytes + neededBytes },
      )
    }
  }
  return [...budgets.values()].filter(({ freeBytes, neededBytes }) => neededBytes > freeBytes)
}

function roomsOf({ memory }: MachineFacts): Pick<Budget, 'key' | 'what' | 'soft' | 'freeBytes'>[] {
  const available = memory?.availableBytes
  const rooms = (memory?.limits ?? []).map(({ cgroup, file, limitBytes, usedBytes }) => ({
    key: `${file} ${cgroup} ${limitBytes}`,
    what: `${file} of the cgroup ${cgroup}`,
    soft: file === 'memory.high',
    freeBytes: Math.max(0, limitBytes - usedBytes),
  }))
  return available === undefined
    ? rooms
    : [...rooms, { key: 'MemAvailable', what: 'MemAvailable', soft: false, freeBytes: available }]
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`
}

function shortage({ what, freeBytes, neededBytes }: Budget): string {
  return `The kernel needs about ${mebibytes(neededBytes)} for the state, and ${what} leaves ${mebibytes(freeBytes)}.`
}

const perBudget = over(budgetsOf)

/** What an mlx5 command can say of a size in PRE_COPY: 32 bits, in whole pages. */
const largestPrecopyBytes = 2 ** 32 - 4096

/** Whether the state fits. */
export const sizeRules: readonly PreflightRule[] = [
  perDevice({
    id: 'too-large-for-precopy',
    level: 'refuse',
    applies: ({ device: { driver, state, stateBytes, capabilities }, role }) =>
      role === 'source' &&
      driver === 'mlx5_vfio_pci' &&
      capabilities.preCopy &&
      state !== 'STOP' &&
      (stateBytes ?? 0) > largestPrecopyBytes,
    cause: ({ device }) =>
      `'${device.name}' has ${mebibytes(device.stateBytes ?? 0)} of state, and mlx5 saves less than 4 GiB while it runs.`,
    remedy: () => 'Stop it first: a device in STOP is saved without PRE_COPY.',
  }),
  perDevice({
    id: 'size-unknown',
    level: 'warn',
    applies: ({ device, role }) =>
      role === 'source' && device.capabilities.stopCopy && device.stateBytes === undefined,
    cause: ({ device }) =>
      `'${device.name}' does not tell how large its state is: what memory it needs is not known, and 100 GiB are foreseen until it is seen.`,
    remedy: () => 'Kernels before 6.2 cannot be asked; dmesg may say more.',
  }),
  perBudget({
    id: 'kernel-memory',
    level: 'refuse',
    applies: ({ soft }) => !soft,
    device: ({ device }) => device,
    cause: shortage,
    remedy: () => 'Raise the limit, free memory, or move fewer devices at a time.',
  }),
  perBudget({
    id: 'kernel-memory-slow',
    level: 'warn',
    applies: ({ soft }) => soft,
    device: ({ device }) => device,
    cause: shortage,
    remedy: () => 'Raise memory.high: behind it every allocation waits, in the downtime too.',
  }),
]
