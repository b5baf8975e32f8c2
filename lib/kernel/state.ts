// SPDX-License-Identifier: Apache-2.0

/**
 * The migration states, spelled as the kernel spells them. The index of a name is the state's number in
 * `enum vfio_device_mig_state` (vfio.h).
 */
export const stateNames = [
  'ERROR',
  'STOP',
  'RUNNING',
  'STOP_COPY',
  'RESUMING',
  'RUNNING_P2P',
  'PRE_COPY',
  'PRE_COPY_P2P',
] as const

/** A migration state of a VFIO device. */
export type StateName = (typeof stateNames)[number]

/** The number of a state in vfio.h. */
export function stateNumber(name: StateName): number {
  return stateNames.indexOf(name)
}

/** The name of a state number, undefined for one that vfio.h does not have. */
export function stateName(number: number): StateName | undefined {
  return stateNames[number]
}

/** True for one of the eight names. */
export function isStateName(value: unknown): value is StateName {
  return (stateNames as readonly unknown[]).includes(value)
}

/** What the device's VFIO_DEVICE_FEATURE_MIGRATION flags say of its state machine. STOP_COPY comes with both or neither. */
export interface MachineFlags {
  readonly p2p: boolean
  readonly preCopy: boolean
}

/*
 * The arcs that the kernel's state machine has (drivers/vfio/vfio_main.c, vfio_mig_get_next_state):
 *
 *                     RESUMING        STOP_COPY <-------------+
 *                        ^               ^                    |
 *                        v               v                    |
 *                        +---> STOP <----+                    |
 *                               ^                             |
 *                               v                             |
 *                          RUNNING_P2P <----------------> PRE_COPY_P2P
 *                               ^                             ^
 *                               v                             v
 *                            RUNNING <-------------------> PRE_COPY
 *
 * A cell is the next state from the row on the way to the column; undefined is EINVAL. There is no way back from
 * STOP_COPY into the pre-copy states, and none into or out of ERROR but a reset.
 */
const x = undefined
const [S, R, SC, RS, RP, PC, PP] = stateNames.slice(1) as [
  'STOP', 'RUNNING', 'STOP_COPY', 'RESUMING', 'RUNNING_P2P', 'PRE_COPY', 'PRE_COPY_P2P',
] // prettier-ignore
// prettier-ignore
const nextStates: Readonly<Record<StateName, readonly (StateName | undefined)[]>> = {
  // to:         ERROR S   R   SC  RS  RP  PC  PP
  ERROR:        [x,   x,  x,  x,  x,  x,  x,  x],
  STOP:         [x,   S,  RP, SC, RS, RP, RP, RP],
  RUNNING:      [x,   RP, R,  RP, RP, RP, PC, RP],
  STOP_COPY:    [x,   S,  S,  SC, S,  S,  x,  x],
  RESUMING:     [x,   S,  S,  S,  RS, S,  S,  S],
  RUNNING_P2P:  [x,   S,  R,  S,  S,  RP, R,  PP],
  PRE_COPY:     [x,   R,  R,  PP, R,  R,  PC, PP],
  PRE_COPY_P2P: [x,   RP, RP, SC, RP, RP, PC, PP],
}

/** Which flags a device must have for a state to exist on it. */
export const stateNeeds: Readonly<Record<StateName, readonly (keyof MachineFlags)[]>> = {
  ERROR: [],
  STOP: [],
  RUNNING: [],
  STOP_COPY: [],
  RESUMING: [],
  RUNNING_P2P: ['p2p'],
  PRE_COPY: ['preCopy'],
  PRE_COPY_P2P: ['p2p', 'preCopy'],
}

/** The flags that `state` needs and the device lacks; empty when the state exists on the device. */
export function missingFlags(state: StateName, flags: MachineFlags): (keyof MachineFlags)[] {
  return stateNeeds[state].filter(flag => !flags[flag])
}

/**
 * The state that one step from `from` toward `to` leads to; undefined where the kernel answers EINVAL. Steps through
 * states that the device lacks vanish, as in the kernel: the table is asked again from there.
 *
 * @example nextState('RUNNING', 'STOP_COPY', { p2p: true, preCopy: true }) // 'RUNNING_P2P'
 */
export function nextState(from: StateName, to: StateName, flags: MachineFlags): StateName | undefined {
  if (missingFlags(from, flags).length > 0 || missingFlags(to, flags).length > 0) return undefined
  let next: StateName | undefined = from
  do next = nextStates[next][stateNumber(to)]
  while (next !== undefined && missingFlags(next, flags).length > 0)
  return next
}

/**
 * The states that lie ahead on the way from `from` to `to`, `to` last; empty when they are the same, undefined where
 * the kernel refuses.
 *
 * @example pathTo('RUNNING', 'STOP_COPY', { p2p: true, preCopy: true }) // ['RUNNING_P2P', 'STOP', 'STOP_COPY']
 */
export function pathTo(from: StateName, to: StateName, flags: MachineFlags): StateName[] | undefined {
  const path: StateName[] = []
  for (let at = from; at !== to;) {
    const next = nextState(at, to, flags)
    if (next === undefined) return undefined
    path.push(next)
    at = next
  }
  return path
}

/** The states in which a device gives out its state: one session spans them. */
export const savingGroup: ReadonlySet<StateName> = new Set(['PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY'])

/** The states that save while the device runs: where VFIO_MIG_GET_PRECOPY_INFO is answered. */
export const preCopyStates: ReadonlySet<StateName> = new Set(['PRE_COPY', 'PRE_COPY_P2P'])
