// SPDX-License-Identifier: Apache-2.0

/** Something that is due at a moment. */
export interface Wait {
  readonly at: number
  readonly then: () => void
}

/** Waits by the moment at which they are due; of one moment, in the order in which they were asked for. */
export class WaitList {
  /** The next one is the last, where it is taken without moving the others. */
  readonly #waits: Wait[] = []

  get isEmpty(): boolean {
    return this.#waits.length === 0
  }

  add(wait: Wait): void {
    this.#waits.splice(this.#end(wait.at), 0, wait)
  }

  /** Without effect for one that was taken. */
  remove(wait: Wait): void {
    for (let k = this.#end(wait.at); this.#waits[k]?.at === wait.at; k++) {
      if (this.#waits[k] !== wait) continue
      this.#waits.splice(k, 1)
      return
    }
  }

  /** Takes all that is due at the next moment. */
  takeNext(): Wait[] {
    const next = this.#waits.at(-1)
    if (next === undefined) return []
    return this.#waits.splice(this.#end(next.at)).reverse()
  }

  /** How many are due later than `at`: they come before those that are due then. */
  #end(at: number): number {
    let [low, high] = [0, this.#waits.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#waits[middle]?.at ?? -Infinity) > at) low = middle + 1
      else high = middle
    }
    return low
  }
}
