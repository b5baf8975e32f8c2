// SPDX-License-Identifier: Apache-2.0
// Within a round each way has its turn, the first one another each time: what the machine does meanwhile meets all of
// them.

/**
 * @template Result
 * @param {number} rounds
 * @param {Record<string, () => Promise<Result>>} ways
 * @param {number} warmUps rounds before them, of which nothing is kept
 * @returns {Promise<Record<string, Result[]>>} one result of each way a round
 */
export async function alternate(rounds, ways, warmUps) {
  const names = Object.keys(ways)
  /** @type {Record<string, Result[]>} */
  const results = Object.fromEntries(names.map(name => [name, []]))
  for (let round = -warmUps; round < rounds; round++) {
    const first = Math.max(0, round) % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const result = await ways[name]()
      if (round >= 0) results[name].push(result)
    }
  }
  return results
}
