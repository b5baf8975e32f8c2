// SPDX-License-Identifier: Apache-2.0
// Is what was built older than what it was built from? Has it lost its source?
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** @param {string} path a file, or a directory with all that is in it @returns {number} 0 when there is none */
export function newestChange(path) {
  if (!existsSync(path)) return 0
  const { mtimeMs } = statSync(path)
  if (!statSync(path).isDirectory()) return mtimeMs
  return Math.max(mtimeMs, ...readdirSync(path).map(entry => newestChange(join(path, entry))))
}

/** @param {string} output @param {string[]} inputs */
export function isStale(output, inputs) {
  return !existsSync(output) || inputs.some(input => newestChange(input) > statSync(output).mtimeMs)
}

/** @param {string[]} paths @param {number} kept @returns {string[]} the rest, when so many of the newest are kept */
export function allButNewest(paths, kept) {
  const dated = paths.map(path => ({
    path,
    changed: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }))
  return dated
    .sort((a, b) => b.changed - a.changed)
    .slice(kept)
    .map(({ path }) => path)
}

/**
 * Removes compiled files whose TypeScript is gone: a deleted test would run for ever otherwise.
 * @param {string} output
 * @param {string} source
 */
export function removeOrphans(output, source) {
  if (!existsSync(output)) return
  for (const entry of readdirSync(output, { recursive: true, encoding: 'utf8' })) {
    const stem = entry.match(/^(.*)\.(d\.ts|js)(\.map)?$/)?.[1]
    if (stem !== undefined && !existsSync(join(source, `${stem}.ts`))) rmSync(join(output, entry))
  }
}
