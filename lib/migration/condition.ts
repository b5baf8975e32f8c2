// SPDX-License-Identifier: Apache-2.0

/** Lets several wait for what others change. */
export class Condition {
  readonly #waiting = new Set<() => void>()
  #failure: { readonly error: unknown } | undefined

  /** Something has changed: whoever waits looks again. */
  changed(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const look of waiting) look()
  }

  /** Nothing will be as it is waited for: every wait rejects with the first such error, from now on. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.changed()
  }

  async until(holds: () => boolean): Promise<void> {
    for (;;) {
      if (this.#failure) throw this.#failure.error
      if (holds()) return
      await new Promise<void>(resolve => this.#waiting.add(resolve))
    }
  }
}
