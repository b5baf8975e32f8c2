// SPDX-License-Identifier: Apache-2.0
// What the measurements come to: one ratio a row, the median of the rounds' own ratios, and what it has to be.

import { median } from '../median.mjs'

/**
 * @typedef {import('./series.mjs').Moved} Moved
 * @typedef {import('./series.mjs').Rounds} Rounds
 * @typedef {import('../row.mjs').Row} Row
 * @typedef {{ name: string, against: string, required: number, ratio: (round: Record<string, Moved>) => number, isNull?: boolean }} Judgement
 */

const engineBesideC = {
  against: '1.10 × the C program + 5 ms',
  required: 1,
  ratio: ({ engine, program }) => engine.downtimeMs / (1.1 * program.downtimeMs + 5),
}
/** What the machine's own noise makes of nothing. */
const cBesideC = {
  against: 'the C program',
  required: 1.1,
  ratio: ({ again, program }) => again.downtimeMs / program.downtimeMs,
  isNull: true,
}

/** How far what was foreseen is from what came, as a share of that: where the commands take their time, whatever the CPUs do. */
const foreseen = {
  against: 'what it came to',
  required: 0.2,
}
/** @param {Moved} moved */
const missOf = ({ predictedMs = NaN, downtimeMs }) => Math.abs(predictedMs / downtimeMs - 1)

/** By the names of the series. @type {Record<string, Judgement[]>} */
const judgements = {
  precopy: [
    { name: 'engine, with pre-copy', ...engineBesideC },
    { name: 'null: the C program once more, with pre-copy', ...cBesideC },
  ],
  stopped: [
    { name: 'engine, without pre-copy', ...engineBesideC },
    { name: 'null: the C program once more, without pre-copy', ...cBesideC },
  ],
  set: [
    {
      name: 'set of 4, device-bound',
      against: 'one of them',
      required: 1.3,
      ratio: ({ set, one }) => set.downtimeMs / one.downtimeMs,
    },
    {
      name: 'downtime foreseen of one, device-bound: error',
      ...foreseen,
      ratio: ({ one }) => missOf(one),
    },
    {
      name: 'downtime foreseen of the set of 4: error',
      ...foreseen,
      ratio: ({ set }) => missOf(set),
    },
  ],
  link: [
    {
      name: 'with pre-copy, over a link of 64 MiB/s',
      against: 'without pre-copy',
      required: 0.5,
      ratio: ({ precopy, none }) => precopy.downtimeMs / none.downtimeMs,
    },
  ],
}

/** @param {string} release the kernel's @param {Record<string, Rounds>} results by the names of the series @returns {Row[]} */
export function rowsOf(release, results) {
  return Object.entries(results).flatMap(([series, rounds]) =>
    judgements[series].map(judgement => rowOf(release, judgement, rounds)),
  )
}

/** @param {string} release @param {Judgement} judgement @param {Rounds} rounds @returns {Row} */
function rowOf(release, { name, against, required, ratio: ratioOf, isNull = false }, rounds) {
  const ratio = median(byRound(rounds).map(ratioOf))
  // What is compared with itself may err to either side, but not far.
  const met = ratio <= required && (!isNull || ratio >= 1 / required)
  return { name: `${name}, Linux ${release}`, against, ratio, required, atLeast: false, met }
}

/** @param {Rounds} rounds @returns {Record<string, Moved>[]} */
function byRound(rounds) {
  const [first = []] = Object.values(rounds)
  return first.map((_, round) =>
    Object.fromEntries(Object.entries(rounds).map(([way, moved]) => [way, moved[round]])),
  )
}

/**
 * All values of each field, which takes a tenth of the room.
 * @param {object[]} list of objects with the same fields, numbers or such objects themselves
 * @returns {object}
 */
export function columnsOf(list) {
  const [first = {}] = list
  return Object.fromEntries(
    Object.keys(first).map(field => {
      const column = list.map(one => one[field])
      return [field, typeof first[field] === 'object' ? columnsOf(column) : column]
    }),
  )
}
