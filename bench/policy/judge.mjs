// SPDX-License-Identifier: Apache-2.0
// Three contestants in the same worlds, and what that comes to.
import { isMet } from '../row.mjs'
import { Endless, ours } from './ours.mjs'
import { switchOver } from './switchover.mjs'
import { threshold } from './threshold.mjs'
import { World } from './world.mjs'

/**
 * @typedef {object} Run of one workload with one seed
 * @property {import('./workloads.mjs').Workload} workload
 * @property {number} seed
 * @property {import('./switchover.mjs').Switchover} none
 * @property {import('./threshold.mjs').Stopped | undefined} threshold
 * @property {import('./ours.mjs').Outcome | undefined} ours undefined for a run without an end
 * @typedef {object} Row
 * @property {string} name
 * @property {string} against
 * @property {number} ratio
 * @property {number} required
 * @property {boolean} atLeast
 * @property {boolean} met
 * @property {number} runs of which it is the figure
 */

/** @param {import('./workloads.mjs').Workload} workload @param {number} seed @returns {Promise<Run>} */
export async function compete(workload, seed) {
  const stateBytes = (/** @type {number} */ index) => workload.devices[index].stateBytes
  return {
    workload,
    seed,
    none: switchOver(new World(workload, seed), 0, stateBytes),
    threshold: threshold(new World(workload, seed)),
    ours: await ours(new World(workload, seed)).catch(error => {
      if (!(error instanceof Endless)) throw error
      return undefined
    }),
  }
}

/** @typedef {Run & { ours: import('./ours.mjs').Outcome }} Ended */
/** @typedef {Ended & { threshold: import('./threshold.mjs').Stopped }} Both */

/** Of which runs each requirement speaks. */
export const populations = {
  /** @param {Run[]} runs */
  ended: runs => /** @type {Ended[]} */ (runs.filter(run => run.ours)),
  /** What there is to gain: images make more than half of the downtime, less than half of the link is dirtied. @param {Run[]} runs */
  gainful: runs =>
    populations
      .ended(runs)
      .filter(({ none, workload }) => none.imageMs > none.downtimeMs / 2 && workload.dirtyOfLink < 0.5),
  /** @param {Run[]} runs */
  both: runs => /** @type {Both[]} */ (populations.ended(runs).filter(run => run.threshold)),
  /** The rule could have gone on, and found the downtime within the limit. @param {Run[]} runs */
  chosen: runs =>
    populations
      .ended(runs)
      .filter(run => run.ours.canImprove && run.ours.predictedMs <= run.workload.limitMs),
}

/** @param {Run[]} runs @returns {Row[]} */
export function judge(runs) {
  const { ended, gainful, both, chosen } = Object.fromEntries(
    Object.entries(populations).map(([name, population]) => [name, population(runs)]),
  )
  const switched = chosen.filter(({ ours }) => !ours.turnedBack)
  const besideThreshold = both.map(run => run.ours.downtimeMs / run.threshold.downtimeMs)
  const ofLimit = (/** @type {Ended} */ { ours, workload }) => ours.downtimeMs / workload.limitMs
  const limit = 'the limit, where it chose to switch'
  const qemu = 'the threshold rule, where that ends'
  const meanOf = (/** @type {(run: Both) => number} */ value) => mean(both.map(value))
  return [
    row(
      'downtime, mean of ratios',
      'no pre-copy, where there is something to gain',
      mean(gainful.map(besideNone)),
      0.7,
      gainful,
    ),
    row(
      'downtime, ratio of means',
      qemu,
      meanOf(run => run.ours.downtimeMs) / meanOf(run => run.threshold.downtimeMs),
      1.05,
      both,
    ),
    row('downtime, mean of ratios', qemu, mean(besideThreshold), 1.05, both),
    row('downtime, 95th percentile of ratios', qemu, quantile(besideThreshold, 0.95), 1.25, both),
    row('runs that end', 'all runs', ended.length / runs.length, 1, runs, true),
    row(
      'predicted within 20 %',
      'the actual downtime, of all runs',
      share(ended, isForeseen),
      0.9,
      ended,
      true,
    ),
    row(
      'downtimes within the limit',
      limit,
      share(chosen, run => !run.ours.turnedBack && ofLimit(run) <= 1),
      0.95,
      chosen,
      true,
    ),
    row(
      'longest downtime',
      `${limit} and did not turn back`,
      Math.max(...switched.map(ofLimit)),
      1.5,
      switched,
    ),
    row(
      'runs that turned back',
      'those that chose to switch',
      1 - switched.length / chosen.length,
      0.01,
      chosen,
    ),
  ]
}

/** @param {Ended} run */
export const besideNone = ({ ours: { downtimeMs }, none }) => downtimeMs / none.downtimeMs

/** A switch that was turned back was not. @param {Ended} run */
export const isForeseen = ({ ours: { downtimeMs, predictedMs, turnedBack } }) =>
  !turnedBack && Math.abs(predictedMs - downtimeMs) <= 0.2 * downtimeMs

/**
 * The rows of a family that nothing was tuned on, with the figures of the one that was: what either of them misses is not
 * met.
 * @param {Row[]} rows @param {Row[]} tuned @returns {(Row & { whileTuning: number })[]}
 */
export function together(rows, tuned) {
  return rows.map((row, index) => {
    const { ratio, met } = tuned[index]
    return { ...row, whileTuning: ratio, met: row.met && met }
  })
}

/**
 * @param {string} name @param {string} against @param {number} ratio @param {number} required @param {unknown[]} population
 * @param {boolean} atLeast
 * @returns {Row}
 */
function row(name, against, ratio, required, population, atLeast = false) {
  const met = isMet({ ratio, required, atLeast })
  return { name, against, ratio, required, atLeast, met, runs: population.length }
}

/** @param {number[]} values */
export const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length

/** @template T @param {T[]} values @param {(value: T) => boolean} is */
export const share = (values, is) => values.filter(is).length / values.length

/** @param {number[]} values @param {number} part */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]
}
