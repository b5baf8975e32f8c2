// SPDX-License-Identifier: Apache-2.0
import { AbortError } from '../abort.ts'
import type { Failure } from './failure.ts'

/** What ends the work of one side early: the caller's signal, its callback, the other side. The first reason stands. */
export class Stop {
  readonly #controller = new AbortController()
  readonly #waiting = new Set<(error: unknown) => void>()
  #reason: Failure | undefined
  #forget: () => void = () => undefined

  constructor(signal?: AbortSignal) {
    if (signal) this.#follow(signal)
  }

  /** Fires with it, for those who take a signal. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The first reason, where it has one. */
  get reason(): Failure | undefined {
    return this.#reason
  }

  because(error: unknown): void {
    if (this.#reason) return
    this.#reason = { error }
    for (const reject of this.#waiting) reject(error)
    this.#controller.abort(error)
  }

  throwIfStopped(): void {
    if (this.#reason) throw this.#reason.error
  }

  /** Settles as `work` does, or rejects with the reason; `work` is left to itself then. */
  async during<T>(work: Promise<T>): Promise<T> {
    // What is left to itself may fail: nobody hears of it.
    work.catch(() => undefined)
    this.throwIfStopped()
    let forget: () => void = () => undefined
    const stopped = new Promise<never>((_, reject) => {
      this.#waiting.add(reject)
      forget = () => this.#waiting.delete(reject)
    })
    try {
      return await Promise.race([stopped, work])
    } finally {
      forget()
    }
  }

  /** Follows the caller's signal no longer. */
  release(): void {
    this.#forget()
  }

  #follow(signal: AbortSignal): void {
    const onAbort = (): void => this.because(new AbortError(signal.reason))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#forget = () => signal.removeEventListener('abort', onAbort)
  }
}
