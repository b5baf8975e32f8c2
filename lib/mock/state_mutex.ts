// SPDX-License-Identifier: Apache-2.0

/**
 * A driver's state mutex, with its deferred reset: a reset that finds it taken leaves a note, and whoever holds it
 * performs the reset when unlocking (mlx5vf_state_mutex_unlock, and the like in the other drivers).
 */
export class StateMutex {
  readonly #performReset: () => Promise<void>
  readonly #turns: (() => void)[] = []
  #held = false
  #resetNoted = false
  #broken: Error | undefined

  /** `performReset` is called with the mutex held. */
  constructor(performReset: () => Promise<void>) {
    this.#performReset = performReset
  }

  /** Runs `work` alone. */
  async run<T>(work: () => Promise<T> | T): Promise<T> {
    await this.#lock()
    try {
      return await work()
    } finally {
      await this.#unlock()
    }
  }

  /** The function was reset. Resolves when the driver has taken notice, or will. */
  async noteReset(): Promise<void> {
    this.#resetNoted = true
    if (this.#held) return
    await this.#lock()
    await this.#unlock()
  }

  /** Whoever held it is gone: nobody gets it any more. */
  break(why: Error): void {
    this.#broken = why
    for (const turn of this.#turns.splice(0)) turn()
  }

  async #lock(): Promise<void> {
    if (this.#held && this.#broken === undefined)
      await new Promise<void>(resolve => this.#turns.push(resolve))
    if (this.#broken) throw this.#broken
    this.#held = true
  }

  async #unlock(): Promise<void> {
    while (this.#resetNoted && this.#broken === undefined) {
      this.#resetNoted = false
      await this.#performReset()
    }
    const next = this.#turns.shift()
    if (next) next()
    else this.#held = false
  }
}
