// SPDX-License-Identifier: Apache-2.0
import type { CancelWait, Clock } from '../clock.ts'

/** Lets bytes through at a rate, as a link of that rate would: one after another, whoever they come from. */
export class Throttle {
  readonly #clock: Clock
  readonly #bytesPerMs: number
  readonly #waits = new Set<CancelWait>()
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
    await this.#wait(this.#freeAt - now)
  }

  /** Lets nothing through any more: who waits is left to itself, and no timer stays behind. */
  close(): void {
    for (const cancel of this.#waits) cancel()
    this.#waits.clear()
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const cancel = this.#clock.after(ms, () => {
        this.#waits.delete(cancel)
        resolve()
      })
      this.#waits.add(cancel)
    })
  }
}
