// SPDX-License-Identifier: Apache-2.0
// Runs Mocha on this machine and records what it counted.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { record } from './results.mjs'
import { ROOT } from './setup.mjs'
import { say } from './steps.mjs'
import { temporaryDirectory } from './temporary.mjs'

const MOCHA = join(ROOT, 'node_modules/mocha/bin/mocha.js')
/** Options that may well leave no test. */
const FILTER = /^(-[fg]|--f?grep)/
const REPORTER = fileURLToPath(new URL('mocha-reporter.mjs', import.meta.url))
const REJECTIONS = new URL('mocha-rejections.mjs', import.meta.url).href
/** In MiB: thousands of simulated devices die young, and a tenth of all time went into looking for what does not. */
const YOUNG = '--max-semi-space-size=64'

/**
 * @param {string} suite its name in the results
 * @param {string[]} args files, patterns, Mocha's own options
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} Mocha's exit status, not 0 either when it did not run every test
 */
export async function runMocha(suite, args, env = {}) {
  const directory = temporaryDirectory('mocha')
  const counts = join(directory, 'counts.json')
  try {
    const command = [YOUNG, '--import', REJECTIONS, MOCHA, '--reporter', REPORTER, ...args]
    const mocha = spawn(process.execPath, command, {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, ...env, VFIO_MIGRATE_COUNTS: counts },
    })
    const [code] = await once(mocha, 'close')
    return recordCounts(suite, counts, code ?? 1, { isFiltered: args.some(arg => FILTER.test(arg)) })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * Counts alone can look well when the run does not: it may have died before, or after, its last test. So can the
 * status: a test may have ended the process with 0.
 * @param {string} suite
 * @param {string} file
 * @param {number} status
 * @param {{ isFiltered: boolean }} run isFiltered: somebody asked for less than all tests
 * @returns {number} the status that the whole deserves
 */
export function recordCounts(suite, file, status, { isFiltered }) {
  const { total, ...counts } = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { passed: 0, failed: 0, skipped: 0, total: undefined }
  const ran = counts.passed + counts.failed + counts.skipped
  const isWhole = ran === total && (ran > 0 || isFiltered)
  if (status === 0 && counts.failed === 0 && !isWhole)
    say(`${suite}: ended as if all were well, with ${ran} tests counted of ${total ?? 'an unknown number'}`)
  if (counts.failed === 0 && (status !== 0 || !isWhole)) counts.failed = 1
  record({ suite, ...counts })
  return status || Math.min(counts.failed, 1)
}
