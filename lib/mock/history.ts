// SPDX-License-Identifier: Apache-2.0
import type { StateName } from '../kernel/state.ts'

/** What a simulated device was asked and did, in order. `at` is ms on its clock. */
export type Event =
  /** A call through the seam. */
  | { readonly kind: 'call'; readonly call: string; readonly args: readonly unknown[] }
  /** Its answer: a number `>= 0` or -errno. */
  | { readonly kind: 'answer'; readonly call: string; readonly result: number }
  /** A step of the state machine that was made, or refused with `errno` (negative). */
  | { readonly kind: 'arc'; readonly from: StateName; readonly to: StateName; readonly errno: number }
  /** The firmware began a command; `args` as the driver gave them. */
  | { readonly kind: 'command'; readonly command: string; readonly args: Readonly<Record<string, unknown>> }
  /** It ended: the firmware's status, 0 for success, and what that is to the driver: 0 or -errno. */
  | { readonly kind: 'status'; readonly command: string; readonly status: number; readonly errno: number }
  /** Something that nobody asked for here: a reset, the first open, the last close, a detach, a fault, an oops. */
  | { readonly kind: 'event'; readonly event: string; readonly detail?: string | undefined }

export type RecordedEvent = Event & { readonly at: number }

/** The memory of a simulated device. */
export class History {
  readonly #now: () => number
  readonly #events: RecordedEvent[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  get events(): readonly RecordedEvent[] {
    return this.#events
  }

  record(event: Event): void {
    this.#events.push({ at: this.#now(), ...event })
  }
}
