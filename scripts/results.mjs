// SPDX-License-Identifier: Apache-2.0
// Counts of several suites in one file: a line of JSON each, named by VFIO_MIGRATE_RESULTS.
// Usage: node scripts/results.mjs record SUITE passed|failed|skipped
//        node scripts/results.mjs sum
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** @typedef {{ suite: string, passed: number, failed: number, skipped: number }} Counts */

/** @param {Counts} counts */
export function record(counts) {
  const file = process.env.VFIO_MIGRATE_RESULTS
  if (file) appendFileSync(file, `${JSON.stringify(counts)}\n`)
}

/** @param {string} file @returns {Counts[]} */
export function readResults(file) {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text.split('\n').filter(Boolean).map(line => JSON.parse(line))
}

/** @param {Counts[]} all */
export function summary(all) {
  const sum = (/** @type {'passed' | 'failed' | 'skipped'} */ key) => all.reduce((total, counts) => total + counts[key], 0)
  return `${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`
}

/** @param {string[]} words */
function command([verb, suite = '', outcome = '']) {
  if (verb === 'record') record({ suite, passed: 0, failed: 0, skipped: 0, [outcome]: 1 })
  else console.log(summary(readResults(process.env.VFIO_MIGRATE_RESULTS ?? '')))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) command(process.argv.slice(2))
