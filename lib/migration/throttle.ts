// SPDX-License-Identifier: Apache-2.0
import { sleep, type Clock } from '../clock.ts'

/** Lets bytes through at a rate, as a link of that rate would: one after another, whoever they come from. */
export class Throttle {
  readonly #clock: Clock
  readonly #bytesPerMs: number
  #freeAt = 0

  /** `bandwidth` in bytes per second; undefined lets everything through. */
  constructor(clock: Clock, bandwidth: number | undefined) {
    this.#clock = clock
    this.#bytesPerMs = (bandwidth ?? Infinity) / 1000
  }

  /** Resolves when `bytes` bytes have gone through. */
  async take(bytes: number): Promise<void> {
    if (this.#bytesPerMs === Infinity) return
    const now = this.#clock.now()
    this.#freeAt = Math.max(now, this.#freeAt) + bytes / this.#bytesPerMs
    await sleep(this.#clock, this.#freeAt - now)
  }
}
