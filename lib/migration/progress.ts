// SPDX-License-Identifier: Apache-2.0

import type { PrecopyClass } from '../kernel/drivers.ts'

/** What one round of pre-copy measured of one device. Times in ms on the source's clock, sizes in bytes. */
export interface RoundSample {
  /** When precopy info was asked, which is when the image that follows was begun. */
  readonly askedAt: number
  /** How long the answer took, waiting for an image before it included. */
  readonly askMs: number
  readonly initialBytes: number
  readonly dirtyBytes: number
  /** The device has begun anew. */
  readonly reinit: boolean
  /** Bytes that came. Fewer than were promised where the driver's estimate was high, none where it has silently given pre-copy up. */
  readonly bytes: number
  /** From the answer to the first byte: the rest of the SAVE. Zero where nothing came. */
  readonly firstByteMs: number
  /** From the first byte read to the last one sent, the link's limit included; other devices' bytes share that time. */
  readonly sendMs: number
  /** From the last byte sent to the word that it is loaded. */
  readonly loadMs: number
  /** The deadline cut it short: what was promised and has not come is left, and what has come may not be loaded. */
  readonly cut?: boolean | undefined
}

/** What is known of a device before its first round. */
export interface DeviceOutlook {
  readonly precopy: PrecopyClass
  /** MIG_DATA_SIZE: on mlx5 the full image, also in pre-copy. Undefined where the driver does not tell. */
  readonly stateBytes: number | undefined
  /**
   * How long an arc takes that stops such a device, in ms: measured when the destination was led to RESUMING; undefined where
   * it stood already.
   */
  readonly arcMs: number | undefined
  /** How many of them stop the source from where it is, and how many let the destination run. */
  readonly stopArcs: number
  readonly startArcs: number
  /** How long the arc into pre-copy took, in ms. A driver whose images are full makes one in that arc. */
  readonly precopyArcMs?: number | undefined
  /**
   * The final image comes in records of so many bytes, each loaded while the next one is saved; undefined where it is
   * one record. On mlx5 that is the size told by the first record of the stream, where it is less than `stateBytes`.
   */
  readonly chunkBytes?: number | undefined
}

/** What the downtime would be made of, in ms. */
export interface DowntimeParts {
  /** The arcs that stop the source, with what the firmware is asked in them. */
  readonly stopArcsMs: number
  /** Until the final image can be read. */
  readonly saveMs: number
  readonly linkMs: number
  readonly loadMs: number
  /** The arcs that let the destination run, and what both sides say to each other about them. */
  readonly startArcsMs: number
  /** What the participant takes while the devices stand. */
  readonly participantMs: number
}

/** A downtime that is foreseen. */
export interface Prediction {
  readonly downtimeMs: number
  /** The same, if all goes as badly as what was measured makes likely. */
  readonly worstMs: number
  readonly parts: DowntimeParts
  /** Bytes that would be moved while the devices stand. */
  readonly bytes: number
}

/** Where a migration stands when it has to be decided whether to go on with pre-copy. */
export interface PolicyProgress {
  /** Rounds so far; 0 where no device has pre-copy. */
  readonly round: number
  /** Since pre-copy began, in ms. */
  readonly elapsedMs: number
  /** Initial bytes of all devices that are not loaded; with more than 0 a switch costs downtime that a round would save. */
  readonly initialBytesLeft: number
  /** Another round can change something: a device has pre-copy and has not given it up. */
  readonly canImprove: boolean
  /** Were it switched now. */
  readonly predicted: Prediction
  /** The predictions of the rounds before, the oldest first; of the last hundred. */
  readonly history: readonly Prediction[]
}

export type Decision = 'continue' | 'switch' | 'abort'

/** A decision and the sentence that says why. */
export interface Reasoned {
  readonly decision: Decision
  readonly why: string
  /**
   * Of a switch: the downtime that it was decided for, in ms. Where a device that stands has so much more to give than was
   * foreseen that this would be exceeded by half, the source turns back with ERR_VFIO_OVERRUN. Undefined: it never does.
   */
  readonly limitMs?: number
}

/** What a round has led to foresee, and what follows from it: it stands until the next round has ended. */
export interface Forecast {
  /** The last round; 0 before the first has ended, and where no device has pre-copy. */
  readonly round: number
  readonly predicted: Prediction
  readonly decision: Decision
  /** Why it is not switched yet, or why it was decided to switch or to give up. */
  readonly why: string
}

/** The stop rule. Asked after every round; a plain decision is as good as a reasoned one. */
export type Policy = (progress: PolicyProgress) => Decision | Reasoned
