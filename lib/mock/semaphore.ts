// SPDX-License-Identifier: Apache-2.0

/** A completion that is used as a binary semaphore, as mlx5's save_comp. */
export class Semaphore {
  readonly #turns: (() => void)[] = []
  #taken = false

  async take(): Promise<void> {
    if (this.#taken) await new Promise<void>(resolve => this.#turns.push(resolve))
    this.#taken = true
  }

  /** The one that waits longest has it next. */
  release(): void {
    const next = this.#turns.shift()
    if (next) next()
    else this.#taken = false
  }
}
