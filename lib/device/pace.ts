// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.ts'

const mebibyte = 1024 * 1024

/** Keeps a rate, as native/core/pace.h does: small pieces, a wait before each, and nothing saved up. */
export class Pace {
  readonly #clock: Clock
  readonly #bytesPerMs: number
  #dueAt = 0

  constructor(clock: Clock, bytesPerSecond: number = Infinity) {
    this.#clock = clock
    this.#bytesPerMs = bytesPerSecond / 1000
  }

  /** What goes through in a tenth of a second, or the usual transfer. */
  get pieceBytes(): number {
    return Math.min(mebibyte, Math.max(1, Math.floor(this.#bytesPerMs * 100)))
  }

  /** Resolves when it is time for the next piece, or the signal fires. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    const ms = this.#dueAt - this.#clock.now()
    if (ms <= 0 || signal?.aborted) return
    await new Promise<void>(resolve => {
      const cancel = this.#clock.after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      const onAbort = (): void => {
        cancel()
        resolve()
      }
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** A piece is begun now. */
  take(bytes: number): void {
    this.#dueAt = Math.max(this.#dueAt, this.#clock.now()) + bytes / this.#bytesPerMs
  }
}
