// SPDX-License-Identifier: Apache-2.0
// Runs Mocha on this machine and records what it counted.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { record } from './results.mjs'
import { ROOT } from './setup.mjs'
import { temporaryDirectory } from './temporary.mjs'

const MOCHA = join(ROOT, 'node_modules/mocha/bin/mocha.js')
const REPORTER = fileURLToPath(new URL('mocha-reporter.mjs', import.meta.url))

/**
 * @param {string} suite its name in the results
 * @param {string[]} args files, patterns, Mocha's own options
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} Mocha's exit status
 */
export async function runMocha(suite, args, env = {}) {
  const directory = temporaryDirectory('mocha')
  const counts = join(directory, 'counts.json')
  try {
    const command = [MOCHA, '--reporter', REPORTER, ...args]
    const mocha = spawn(process.execPath, command, {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, ...env, VFIO_MIGRATE_COUNTS: counts },
    })
    const [code] = await once(mocha, 'close')
    const status = code ?? 1
    recordCounts(suite, counts, status)
    return status
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * Counts alone can look well when the run does not: it may have died before, or after, its last test.
 * @param {string} suite
 * @param {string} file
 * @param {number} status
 */
export function recordCounts(suite, file, status) {
  const counts = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { passed: 0, failed: 0, skipped: 0 }
  if (status !== 0 && counts.failed === 0) counts.failed = 1
  record({ suite, ...counts })
}
