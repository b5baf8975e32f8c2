// SPDX-License-Identifier: Apache-2.0
import type { Arc } from '../errors.ts'

/**
 * What source and destination tell each other, in docs/protocol.md with the order that they may come in. Where several
 * devices move together, `member` counts them from 0, in the order of the offer.
 */
export type Message = SourceMessage | DestinationMessage

export type SourceMessage = Offer | Prepare | Data | SideData | Yielded | End | Abort | Ask

export type DestinationMessage = Answered | Prepared | Loaded | Complete | Running | Abdicated | Lost

/** The most bytes of one `data`. */
export const maxDataBytes: number = 4 * 1024 * 1024

/** The most bytes of one member that are sent and not yet `loaded`: more is refused, so that memory is bounded. */
export const windowBytes: number = 8 * maxDataBytes

/** What the source would move. Nothing is touched by it. */
export interface Offer {
  readonly kind: 'offer'
  readonly version: 1
  /** Its name for ever: a random UUID. No other migration has it, and it is offered once. */
  readonly migration: string
  /** What it tells of its devices, in their order, and of its machine: plain JSON, which the preflight reads. */
  readonly facts: unknown
}

/** The destination's devices and machine, likewise. */
export interface Answered {
  readonly kind: 'answered'
  readonly facts: unknown
}

/** To the destination: lead the devices to RESUMING. */
export interface Prepare {
  readonly kind: 'prepare'
}

/** They are in RESUMING: data may come. */
export interface Prepared {
  readonly kind: 'prepared'
  readonly arcs: readonly (readonly Arc[])[]
}

/** A piece of a device's state, of at most {@link maxDataBytes}. Whoever sends it gives the memory away. */
export interface Data {
  readonly kind: 'data'
  readonly member: number
  readonly bytes: Uint8Array
  /**
   * Called by who has no use for the bytes any more: who has loaded them, or has written them to a connection, over which
   * this does not go. Without it they are collected like any others.
   */
  readonly release?: () => void
}

/** The device has taken `bytes` bytes in all; a LOAD that they complete has ended. The source may send as much again. */
export interface Loaded {
  readonly kind: 'loaded'
  readonly member: number
  readonly bytes: number
}

/** What the participant adds to a device's state; before its `end`, at most once. */
export interface SideData {
  readonly kind: 'side-data'
  readonly member: number
  readonly bytes: Uint8Array
}

/** It is durable that the source's devices run no more unless the destination abdicates. */
export interface Yielded {
  readonly kind: 'yielded'
}

/** The device has given all that it has. After `yielded`. */
export interface End {
  readonly kind: 'end'
  readonly member: number
  readonly bytes: number
  /** Of these bytes in their order, with the kind of sum before it, which is the same on both sides. */
  readonly digest: string
}

/** The destination holds the whole state of a device: all is written, counted and summed alike, and RESUMING was left. */
export interface Complete {
  readonly kind: 'complete'
  readonly member: number
  readonly bytes: number
  readonly digest: string
}

/** The destination owns the state: its devices run, or at least one of them has left STOP. */
export interface Running {
  readonly kind: 'running'
  readonly arcs: readonly (readonly Arc[])[]
  /** What failed after that. The state is the destination's all the same. */
  readonly error?: unknown
}

/** The source wants its devices back. Answered by `abdicated`, or by `running` where it came too late. */
export interface Abort {
  readonly kind: 'abort'
  readonly error: unknown
}

/** Opens a link that is there to settle: what has become of a migration whose own link is gone? */
export interface Ask {
  readonly kind: 'ask'
  readonly migration: string
  /** As `abort`. False where the source's devices hold nothing any more: a destination that has all goes on. */
  readonly back: boolean
}

/** It is durable that the destination's devices never run with this state. */
export interface Abdicated {
  readonly kind: 'abdicated'
  /** Why, where it was not asked to. */
  readonly error?: unknown
  /** It had committed, and heard of no `abort` any more: none of its devices left STOP, and `error` says why. */
  readonly wasCommitted?: boolean
}

/**
 * The destination had committed, its process died, and its devices are blank: nobody can know whether they ran. The
 * source's devices may be all that is left, but they do not run of themselves.
 */
export interface Lost {
  readonly kind: 'lost'
}
