// SPDX-License-Identifier: Apache-2.0

/** One of `all`, each of which comes before any of them comes again: by a series that is always the same. */
export type Deal = <T>(all: readonly T[]) => T

/** Deals from lists that are told apart by identity. */
export function dealer(seed: number): Deal {
  const random = randomOf(seed)
  const decks = new Map<readonly unknown[], unknown[]>()
  return <T>(all: readonly T[]): T => {
    const deck = decks.get(all) ?? []
    decks.set(all, deck)
    if (deck.length === 0) deck.push(...all)
    const [card] = deck.splice(random(deck.length), 1)
    return card as T
  }
}

/** Whole numbers from 0, less than `end`, by the upper bits of a linear congruence. */
function randomOf(seed: number): (end: number) => number {
  let state = seed >>> 0
  return end => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * end)
  }
}
