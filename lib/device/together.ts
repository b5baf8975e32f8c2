// SPDX-License-Identifier: Apache-2.0
import { throwIfAborted } from '../abort.ts'
import type { Barrier } from '../backend/seam.ts'
import { VfioError, type Arc } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import type { Device, DrivenPath, PlannedPath } from './device.ts'
import { LoopBarrier } from './gate.ts'

/** How several devices are led together. */
export interface TogetherOptions {
  /**
   * The states in which each waits until all have come: the P2P states, in which no device begins DMA and each still
   * takes that of the others. A device whose path does not lead through one waits before its first arc.
   */
  readonly through: ReadonlySet<StateName> | undefined
  /** Honoured before the first arc of the first device, not after. */
  readonly signal?: AbortSignal
  /** The state in which each device was left, as in `setState`. */
  readonly from?: readonly StateName[]
}

/** What became of one device: the arcs that it made, and what it did not get to `target` for. */
export interface TogetherOutcome {
  readonly arcs: readonly Arc[]
  /** When its first SET was issued, in ms on the device's clock; absent where none was. */
  readonly begunAt?: number
  readonly error?: Error
}

/**
 * Drives every device to `target`, none beyond `through` before all are there. Where they wait is the kernel's side of
 * this process: no JavaScript runs between the last one's coming and the next arc of each (mocks, or devices of
 * different backends, wait in the event loop).
 *
 * Every path is checked before any device is touched, and where one cannot be driven this rejects as `setState` would.
 * Otherwise it resolves, with an outcome for each device in turn: the error of `setState` for one that failed, and
 * ERR_VFIO_HELD_BACK for one that was not let on because another failed, or was reset or closed, before `through`.
 */
export async function setStatesTogether(
  devices: readonly Device[],
  target: StateName,
  options: TogetherOptions,
): Promise<readonly TogetherOutcome[]> {
  const { through, from, signal } = options
  if (from !== undefined && from.length !== devices.length)
    throw new TypeError(`from must name a state for each of the ${devices.length} devices`)
  const paths = await planAll(devices, target, from, signal)
  const gates = paths.map(path => gateOf(path, through))
  const barrier = barrierFor(paths.filter((_, index) => gates[index] !== undefined))
  const driven = await Promise.all(
    paths.map((path, index) => {
      const before = gates[index]
      return path.drive(barrier !== undefined && before !== undefined ? { barrier, before } : undefined)
    }),
  )
  return driven.map((outcome, index) => outcomeOf(outcome, index, devices, driven))
}

/** All of them, or none and the first error. */
async function planAll(
  devices: readonly Device[],
  target: StateName,
  from: readonly StateName[] | undefined,
  signal: AbortSignal | undefined,
): Promise<PlannedPath[]> {
  const operation = `setStatesTogether('${target}')`
  const planned = await Promise.allSettled(
    devices.map((device, index) => {
      const left = from?.[index]
      const options = { ...(signal && { signal }), ...(left && { from: left }) }
      return device.plan(operation, target, options, devices.length === 1)
    }),
  )
  const paths = planned.flatMap(plan => (plan.status === 'fulfilled' ? [plan.value] : []))
  try {
    for (const plan of planned) if (plan.status === 'rejected') throw plan.reason
    // Those that were planned first have waited for the others.
    for (const path of paths) path.check()
    throwIfAborted(signal)
    return paths
  } catch (error) {
    for (const path of paths) path.giveUp()
    throw error
  }
}

/** The index of the arc before which the device waits; none where its path does not lead beyond `through`. */
function gateOf({ edges }: PlannedPath, through: ReadonlySet<StateName> | undefined): number | undefined {
  const index = edges.findIndex(({ to }) => through?.has(to)) + 1
  return index < edges.length ? index : undefined
}

/** What those who wait for each other have in common, or a barrier of the event loop; nobody waits for himself. */
function barrierFor(paths: readonly PlannedPath[]): Barrier | undefined {
  const [first, ...others] = paths
  if (first === undefined || others.length === 0) return undefined
  const make = first.makeBarrier
  const isCommon = make !== undefined && others.every(({ makeBarrier }) => makeBarrier === make)
  return isCommon ? make(paths.length) : new LoopBarrier(paths.length)
}

function outcomeOf(
  { arcs, begunAt, error, heldIn }: DrivenPath,
  index: number,
  devices: readonly Device[],
  driven: readonly DrivenPath[],
): TogetherOutcome {
  if (error !== undefined) return { arcs, error }
  if (heldIn === undefined) return { arcs, ...(begunAt !== undefined && { begunAt }) }
  const { name = '' } = devices[index] ?? {}
  const failed = driven.findIndex(one => one.error !== undefined)
  const cause = driven[failed]?.error
  const why =
    cause === undefined
      ? 'one of the devices was reset or closed'
      : `'${devices[failed]?.name}' failed: ${cause.message}`
  const message = `'${name}' was held back in ${heldIn}: ${why}. It can be led on or back from there`
  return {
    arcs,
    error: new VfioError('ERR_VFIO_HELD_BACK', message, { device: name, arcs, state: heldIn, cause }),
  }
}
