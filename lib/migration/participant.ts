// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'

/** When a participant is called, in this order; `resumed` takes the place of what is left where a migration is rolled back. */
export const moments = ['quiesce', 'stopped', 'restored', 'running', 'resumed', 'released'] as const

export type Moment = (typeof moments)[number]

/** Whose devices a participant is shown at a moment. */
export const sideOf: Readonly<Record<Moment, 'source' | 'destination'>> = {
  quiesce: 'source',
  stopped: 'source',
  restored: 'destination',
  running: 'destination',
  resumed: 'source',
  released: 'source',
}

/** Where the state is now, and whose devices may run. */
export type Outcome = 'source' | 'destination' | 'unknown'

/** What a participant is told at every moment. */
export interface MomentContext {
  /** The devices of the side that {@link sideOf} names. */
  readonly devices: readonly Device[]
  /** How long the moment may take, in ms. */
  readonly limitMs: number
  /** Fires when the time of the moment is up, or the migration is cancelled while that can be undone. */
  readonly signal: AbortSignal
}

/**
 * Whoever owns what the device's stream does not carry: the CPUs, the memory, config space, interrupts, DMA mappings. Each
 * function is awaited at its moment, with a time limit. All are optional.
 */
export interface Participant {
  /** Before the first arc that stops a device: nobody may touch the devices from now on. */
  quiesce?(context: MomentContext): Promise<void> | void
  /** All devices of the source are in STOP_COPY. Answers what is to travel beside a device's state, in their order, each of at most {@link maxSideDataBytes}. */
  stopped?(context: MomentContext): Promise<SideDataList | undefined> | SideDataList | undefined
  /** All devices of the destination hold their whole state, in STOP, before it is committed: what throws here sends the state back. */
  restored?(context: MomentContext & { readonly sideData: readonly Uint8Array[] }): Promise<void> | void
  /** The destination's devices are RUNNING. */
  running?(context: MomentContext): Promise<void> | void
  /** After `quiesce` was called, the migration was rolled back, and the source's devices are where they were. */
  resumed?(context: MomentContext): Promise<void> | void
  /** At the end, however it ended. */
  released?(context: MomentContext & { readonly outcome: Outcome }): Promise<void> | void
}

export type SideDataList = readonly (Uint8Array | undefined)[]

/** The most that a participant may send along with one device. */
export const maxSideDataBytes: number = 1024 * 1024
