// SPDX-License-Identifier: Apache-2.0
// The C programs beside which this library is measured.
import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ROOT } from './setup.mjs'
import { run } from './steps.mjs'

export const YARDSTICKS = join(ROOT, 'build/bench')

/**
 * @param {string} source its path from the root of the repository
 * @param {{ headers?: string }} [kernel] with the uapi headers that it includes, where the system's are too old
 * @returns {Promise<string>} the program's path
 */
export async function compileYardstick(source, { headers } = {}) {
  mkdirSync(YARDSTICKS, { recursive: true })
  const program = join(YARDSTICKS, basename(source, '.c'))
  const include = headers ? ['-isystem', headers] : []
  await run(['cc', '-O2', '-Wall', '-Wextra', '-Werror', ...include, '-o', program, join(ROOT, source)])
  return program
}
