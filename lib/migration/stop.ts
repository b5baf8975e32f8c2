// SPDX-License-Identifier: Apache-2.0
import { AbortError } from '../abort.ts'

/** What ends the work of one side early: the caller's signal, its callback, the other side. The first reason stands. */
export class Stop {
  readonly #stopped: Promise<never>
  #reject: (error: unknown) => void = () => undefined
  #reason: { readonly error: unknown } | undefined
  #forget: () => void = () => undefined

  constructor(signal?: AbortSignal) {
    this.#stopped = new Promise<never>((_, reject) => (this.#reject = reject))
    // Somebody need not be waiting when it comes.
    this.#stopped.catch(() => undefined)
    if (signal) this.#follow(signal)
  }

  because(error: unknown): void {
    if (this.#reason) return
    this.#reason = { error }
    this.#reject(error)
  }

  throwIfStopped(): void {
    if (this.#reason) throw this.#reason.error
  }

  /** Settles as `work` does, or rejects with the reason; `work` is left to itself then. */
  async during<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([this.#stopped, work])
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
