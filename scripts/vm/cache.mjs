// SPDX-License-Identifier: Apache-2.0
// Where downloaded and built things live between runs.
import { existsSync, mkdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { MISSING, StepError } from '../steps.mjs'

function base() {
  const { XDG_CACHE_HOME = '' } = process.env
  // The specification: a relative path is to be ignored.
  return join(isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache'), 'vfio-migrate')
}

/** @param {string} path @param {() => void} write */
function writing(path, write) {
  try {
    write()
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error)
    throw new StepError(
      `cannot write ${path} (${code}): set XDG_CACHE_HOME to a directory that you may write and that has room`,
      MISSING,
    )
  }
}

/** @param {string[]} parts @returns {string} a directory in the cache, made when it is missing */
export function cacheDirectory(...parts) {
  const path = join(base(), ...parts)
  writing(path, () => mkdirSync(path, { recursive: true }))
  return path
}

/** The kernel's makefiles split paths at spaces, and refuse colons. */
export function requireBuildableCache() {
  if (!/[\s:]/.test(base())) return
  throw new StepError(
    `A kernel cannot be built in ${base()}: set XDG_CACHE_HOME to a directory without a space or colon in its path`,
    MISSING,
  )
}

/** Whoever removes what is old looks at the time. A cache that we may only read is as good. @param {string} path */
export function markUsed(path) {
  try {
    utimesSync(path, new Date(), new Date())
  } catch {
    return
  }
}

/**
 * Writes a file whole or not at all: a stamp that is there says that what it stands for is complete.
 * @param {string} path
 * @param {string} text
 */
export function writeWhole(path, text) {
  const unfinished = `${path}.${process.pid}`
  writing(path, () => {
    writeFileSync(unfinished, text)
    renameSync(unfinished, path)
  })
}

/** @param {string} path @returns {any} the parsed file, undefined when there is none */
export function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}
