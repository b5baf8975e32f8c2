// SPDX-License-Identifier: Apache-2.0
// Counts of several suites in one file: a line of JSON each, named by VFIO_MIGRATE_RESULTS.
// Usage: node scripts/results.mjs settle SUITE passed|failed LINES
//        node scripts/results.mjs sum
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const RESULTS = process.env.VFIO_MIGRATE_RESULTS ?? ''

/** @typedef {{ suite: string, passed: number, failed: number, skipped: number }} Counts */

/** @param {Counts} counts */
export function record(counts) {
  if (RESULTS) appendFileSync(RESULTS, `${JSON.stringify(counts)}\n`)
}

/** @param {string} file @returns {Counts[]} */
export function readResults(file) {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

/** @param {Counts[]} all */
export function summary(all) {
  const sum = (/** @type {'passed' | 'failed' | 'skipped'} */ key) =>
    all.reduce((total, counts) => total + counts[key], 0)
  return `${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`
}

/**
 * A suite that counted nothing is one check. One that failed without a failed test, because it broke
 * between two of its parts, has one failure all the same.
 * @param {string} suite
 * @param {string} outcome
 * @param {number} lines how many the file had before the suite
 */
function settle(suite, outcome, lines) {
  const own = readResults(RESULTS).slice(lines)
  const agrees = outcome === 'failed' ? own.some(counts => counts.failed > 0) : own.length > 0
  if (!agrees) record({ suite, passed: 0, failed: 0, skipped: 0, [outcome]: 1 })
}

/** @param {string[]} words */
function command([verb, suite = '', outcome = '', lines]) {
  if (verb === 'settle') settle(suite, outcome, Number(lines))
  else console.log(summary(readResults(RESULTS)))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) command(process.argv.slice(2))
