// SPDX-License-Identifier: Apache-2.0

/** What is left to chance, which falls the same for the same seed. */
export class Dice {
  #state = 0

  /** Numbers that say whose it is, beside the seed: each has a sequence of its own. */
  constructor(...seed: readonly number[]) {
    for (const number of seed) {
      this.#state ^= number
      this.#next()
    }
  }

  /** A whole number from 0, below `end`. */
  below(end: number): number {
    return Math.floor((this.#next() / 2 ** 32) * end)
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(list: readonly [T, ...T[]]): T
  pick<T>(list: readonly T[]): T | undefined
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)]
  }

  /** mulberry32. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}
