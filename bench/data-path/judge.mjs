// SPDX-License-Identifier: Apache-2.0
// What the runs come to: one ratio a row, the median of the rounds' own, and whether the machine was quiet enough for it
// to say anything: what is measured by itself has to come out as itself.
import { median } from '../median.mjs'
import { isMet } from '../row.mjs'

/**
 * @typedef {import('./measure.mjs').Result} Result
 * @typedef {{ ours: Result[], yardstick: Result[], again: Result[], disturbance?: { madeAgain: number, kept: number } }} Rounds of each a run a round
 * @typedef {import('./subjects.mjs').Subject} Subject
 * @typedef {import('../row.mjs').Row & { noisy: boolean }} JudgedRow
 * @typedef {JudgedRow & { nullRatio: number, unit: string, ours: number[], yardstick: number[], disturbance?: Rounds['disturbance'] }} ComparedRow of each round, in the unit; and how many were disturbed
 * @typedef {Pick<JudgedRow, 'name' | 'against' | 'required' | 'atLeast'>} Requirement
 */

/** Where the ratio of the yardstick to itself has to lie. */
export const quiet = { least: 0.98, most: 1.02 }

/** A noisy run is repeated so often at the most. */
export const repetitions = 2

const gibibyte = 2 ** 30

/** What a row compares, and how that is told; a cost, so that less is better. @type {Record<string, { cost: (result: Result) => number, figure: (result: Result) => number }>} */
export const units = {
  'GiB/s': {
    cost: ({ seconds }) => seconds,
    figure: ({ seconds, bytes }) => bytes / gibibyte / seconds,
  },
  'CPU ms a GiB': {
    cost: ({ cpuSeconds }) => cpuSeconds,
    figure: ({ cpuSeconds, bytes }) => (cpuSeconds * 1000) / (bytes / gibibyte),
  },
  'µs each': {
    cost: ({ seconds }) => seconds,
    figure: ({ seconds, bytes }) => (seconds * 1e6) / bytes,
  },
}

/**
 * Ours relative to the yardstick: how much faster where that has to be at least so much, how much dearer where at most.
 * @param {Pick<Subject, 'atLeast' | 'unit'>} subject @param {Result[]} ours @param {Result[]} yardstick
 */
function ratioOf({ atLeast, unit }, ours, yardstick) {
  const { cost } = units[unit]
  const dearer = ours.map((result, round) => cost(result) / cost(yardstick[round]))
  return median(atLeast ? dearer.map(ratio => 1 / ratio) : dearer)
}

/** @param {Subject} subject @param {Rounds} rounds @returns {ComparedRow} */
export function judge(subject, { ours, yardstick, again, disturbance }) {
  const { name, against, required, atLeast, unit } = subject
  const { figure } = units[unit]
  const ratio = ratioOf(subject, ours, yardstick)
  const nullRatio = ratioOf(subject, again, yardstick)
  const noisy = !(nullRatio >= quiet.least && nullRatio <= quiet.most)
  const met = noisy ? null : isMet({ ratio, required, atLeast })
  const row = { name, against, ratio, required, atLeast, met, noisy, nullRatio, unit }
  return {
    ...row,
    ...(disturbance && { disturbance }),
    ours: ours.map(figure),
    yardstick: yardstick.map(figure),
  }
}

/**
 * The row of the first run that was not noisy, or of the last one.
 * @param {Subject} subject @param {() => Promise<Rounds>} run @returns {Promise<ComparedRow>}
 */
export async function settle(subject, run) {
  let row = judge(subject, await run())
  for (let repeated = 0; row.noisy && repeated < repetitions; repeated++) row = judge(subject, await run())
  return row
}

/** The row of something that is measured once, by a limit. @param {Requirement} requirement @param {number} ratio @returns {JudgedRow} */
export function limit({ name, against, required, atLeast }, ratio) {
  return { name, against, ratio, required, atLeast, met: isMet({ ratio, required, atLeast }), noisy: false }
}
