// SPDX-License-Identifier: Apache-2.0
import { VfioError } from '../errors.ts'
import type { Capabilities } from '../kernel/feature.ts'
import {
  isStateName,
  missingFlags,
  pathTo,
  savingGroup,
  stateNames,
  type StateName,
} from '../kernel/state.ts'

/** One edge of the state machine, not yet made. */
export interface Edge {
  readonly from: StateName
  readonly to: StateName
}

/** The edges of a path that begins in `from`. */
export function edgesOf(from: StateName, path: readonly StateName[]): Edge[] {
  return path.map((to, index) => ({ from: path[index - 1] ?? from, to }))
}

/** The edge gives out a new data_fd. Source: vfio.h, the descriptions of the arcs. */
export function opensSession({ from, to }: Edge): boolean {
  return to === 'RESUMING' || (savingGroup.has(to) && !savingGroup.has(from))
}

/** The edge ends the session of the data_fd. */
export function endsSession({ from, to }: Edge): boolean {
  return from === 'RESUMING' || (savingGroup.has(from) && !savingGroup.has(to))
}

/**
 * A failure of this edge leaves a device that must not be driven on: the driver may have dropped the session while the
 * state still names one, or stopped half of the device. Both dereference NULL or revive half a NIC at the next SET
 * (mlx5 main.c: the arcs PRE_COPY to RUNNING, PRE_COPY_P2P to RUNNING_P2P and PRE_COPY_P2P to STOP_COPY).
 */
export function poisons({ from, to }: Edge): boolean {
  return savingGroup.has(from) && (!savingGroup.has(to) || to === 'STOP_COPY')
}

/** Refuses what is no state. */
export function checkState(state: unknown, device: string): asserts state is StateName {
  if (isStateName(state)) return
  throw new VfioError(
    'ERR_VFIO_UNKNOWN_STATE',
    `'${String(state)}' is no migration state; the states are ${stateNames.join(' ')}`,
    { device },
  )
}

/** Refuses a target that is no state, or that the device lacks the capability for. Asks nobody. */
export function checkTarget(
  target: unknown,
  capabilities: Capabilities,
  device: string,
): asserts target is StateName {
  checkState(target, device)
  const missing = missingFlags(target, capabilities)
  if (missing.length > 0) {
    throw new VfioError(
      'ERR_VFIO_CAPABILITY',
      `'${device}' has no state ${target}: it lacks the capability ${missing.join(' and ')}`,
      { device },
    )
  }
}

/** Refuses a device that is not where whoever drives it left it. */
export function checkUnmoved(expected: StateName, state: StateName, device: string): void {
  if (state !== expected) throw moved(expected, state, device)
}

/** @internal */
export function moved(expected: StateName, state: StateName, device: string): VfioError {
  return new VfioError(
    'ERR_VFIO_STATE_MOVED',
    `'${device}' is in ${state} and not in ${expected}: a reset or another process moved it. Whoever else drives it stops doing so; then begin again from ${state}`,
    { device, state, recovery: state === 'ERROR' ? 'reset' : 'none' },
  )
}

/** The path from `from` to `target`, or an error that says why the kernel would refuse it. */
export function planPath(
  from: StateName,
  target: StateName,
  capabilities: Capabilities,
  device: string,
): StateName[] {
  const path = pathTo(from, target, capabilities)
  if (path !== undefined) return path
  throw new VfioError(
    'ERR_VFIO_NO_PATH',
    `'${device}': the kernel has no path from ${from} to ${target}. ${remedyFor(from, target)}`,
    {
      device,
      state: from,
      recovery: from === 'ERROR' ? 'reset' : 'none',
    },
  )
}

function remedyFor(from: StateName, target: StateName): string {
  if (target === 'ERROR') return 'ERROR is entered by the driver alone'
  if (from === 'ERROR') return 'Only reset() leaves ERROR'
  if (from === 'STOP_COPY') return 'Go to RUNNING first: pre-copy begins on a running device'
  return `Go to RUNNING first`
}
