// SPDX-License-Identifier: Apache-2.0
// Within a round each way has its turn, the first one another each time: what the machine does meanwhile meets all of
// them.

/** @typedef {{ begin: () => void, end: () => boolean }} Disturbance of a round, which is made again where `end` says so */

/** @type {Disturbance} */
const none = { begin: () => undefined, end: () => false }

/**
 * @template Result
 * @param {number} rounds
 * @param {Record<string, () => Promise<Result>>} ways
 * @param {number} warmUps rounds before them, of which nothing is kept
 * @param {Disturbance} [disturbance]
 * @returns {Promise<Record<string, Result[]>>} one result of each way a round
 */
export async function alternate(rounds, ways, warmUps, disturbance = none) {
  const names = Object.keys(ways)
  /** @type {Record<string, Result[]>} */
  const results = Object.fromEntries(names.map(name => [name, []]))
  for (let round = -warmUps; round < rounds;) {
    const first = Math.max(0, round) % names.length
    disturbance.begin()
    /** @type {[string, Result][]} */
    const made = []
    for (const name of [...names.slice(first), ...names.slice(0, first)])
      made.push([name, await ways[name]()])
    if (disturbance.end()) continue
    if (round++ >= 0) for (const [name, result] of made) results[name].push(result)
  }
  return results
}
