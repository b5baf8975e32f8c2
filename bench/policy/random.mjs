// SPDX-License-Identifier: Apache-2.0
// Chance that is the same every time: a number for each key, in whatever order they are asked for.

/** Bits of two numbers, mixed (the finalizer of MurmurHash3). @param {number} seed @param {number} value */
function mix(seed, value) {
  let hash = Math.imul(seed ^ value, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** @param {number[]} keys @returns {number} in [0, 1) */
export function uniform(...keys) {
  return keys.reduce(mix, 0x2545f491) / 2 ** 32
}

/** Standard normal, from the sum of 12 uniform ones: bounded by 6. @param {number[]} keys */
export function normal(...keys) {
  const seed = keys.reduce(mix, 0x2545f491)
  let sum = -6
  for (let k = 0; k < 12; k++) sum += mix(seed, k) / 2 ** 32
  return sum
}

/** A factor around 1. @param {number} spread @param {number[]} keys */
export const factor = (spread, ...keys) => Math.exp(spread * normal(...keys))

/** Draws one after the other. */
export class Dice {
  #seed
  #drawn = 0

  /** @param {number} seed */
  constructor(seed) {
    this.#seed = seed
  }

  uniform(from = 0, to = 1) {
    return from + (to - from) * uniform(this.#seed, this.#drawn++)
  }

  /** Each order of magnitude is as likely as the next. @param {number} from @param {number} to */
  magnitude(from, to) {
    return from * (to / from) ** this.uniform()
  }

  /** @param {number} probability */
  chance(probability) {
    return this.uniform() < probability
  }

  /** @template T @param {readonly T[]} values @returns {T} */
  of(values) {
    return values[Math.floor(this.uniform(0, values.length))]
  }
}
