// SPDX-License-Identifier: Apache-2.0
// Where downloaded and built things live between runs.
import { existsSync, mkdirSync, renameSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** @param {string[]} parts @returns {string} a directory in the cache, made when it is missing */
export function cacheDirectory(...parts) {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const path = join(base, 'vfio-migrate', ...parts)
  mkdirSync(path, { recursive: true })
  return path
}

/**
 * Writes a file whole or not at all: a stamp that is there says that what it stands for is complete.
 * @param {string} path
 * @param {string} text
 */
export function writeWhole(path, text) {
  const unfinished = `${path}.${process.pid}`
  writeFileSync(unfinished, text)
  renameSync(unfinished, path)
}

/** @param {string} path @returns {any} the parsed file, undefined when there is none */
export function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}
