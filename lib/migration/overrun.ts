// SPDX-License-Identifier: Apache-2.0
import { VfioError } from '../errors.ts'
import type { Estimator, Standing } from './estimate.ts'
import type { Steered } from './steer.ts'

/** A downtime that is half as long again is another one than was agreed to. */
const tolerance = 1.5

/** What makes a switch another one than was decided for. */
export interface Overrun {
  /** The device that has most more to give than was foreseen. */
  readonly member: number
  readonly announcedBytes: number
  readonly foreseenBytes: number
  /** The downtime that it would come to, in ms. */
  readonly downtimeMs: number
  readonly limitMs: number
}

/**
 * Whether devices that stand should run again, for what they have announced: on mlx5 one that has begun anew behind its
 * last image gives its whole state, and nothing tells before. Undefined where the limit that was decided by is kept, or
 * nearly, and where it would not be with the images that were foreseen either: going back helps against large images only.
 */
export function overrun(estimator: Estimator, steered: Steered, standing: Standing): Overrun | undefined {
  const { limitMs, atMs, predicted } = steered
  // What nobody has announced is as large as was foreseen.
  if (limitMs === undefined || standing.announced.every(told => told === undefined)) return undefined
  const { participantMs } = predicted.parts
  const known = estimator.revise(standing, atMs, participantMs)
  const mostMs = tolerance * limitMs
  // The devices stand, and this is nearly always all that is to be asked.
  if (known.downtimeMs <= mostMs) return undefined
  const foreseen = estimator.revise({ ...standing, announced: [] }, atMs, participantMs)
  if (foreseen.downtimeMs > limitMs) return undefined
  const excess = known.bytes.map((bytes, member) => bytes - (foreseen.bytes[member] ?? 0))
  const member = excess.indexOf(Math.max(...excess))
  return {
    member,
    announcedBytes: known.bytes[member] ?? 0,
    foreseenBytes: Math.round(foreseen.bytes[member] ?? 0),
    downtimeMs: known.downtimeMs,
    limitMs,
  }
}

/** For whoever asked for the limit. */
export function overrunError(found: Overrun, device: string): VfioError {
  const { announcedBytes, foreseenBytes, downtimeMs, limitMs } = found
  const text =
    `'${device}' announces ${announcedBytes} bytes now that it stands, where ${foreseenBytes} were foreseen: ` +
    `${Math.round(downtimeMs)} ms of downtime, ${limitMs} ms wanted. ` +
    `Migrate again, or allow it: a longer downtimeLimitMs, or onOverrun 'switch'`
  return new VfioError('ERR_VFIO_OVERRUN', text, { device })
}
