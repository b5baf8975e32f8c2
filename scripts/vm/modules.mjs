// SPDX-License-Identifier: Apache-2.0
// Our own kernel modules, test/kernel/modules/*/, built for one kernel into the cache.
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from '../lock.mjs'
import { run, step } from '../steps.mjs'
import { allButNewest } from '../newer.mjs'
import { cacheDirectory, markUsed } from './cache.mjs'

const SOURCES = fileURLToPath(new URL('../../test/kernel/modules', import.meta.url))
const KEPT = 4
/** Longer than any run that could still use it. */
const IN_USE_MS = 3600 * 1000

/** @param {string} directory */
const filesIn = directory =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()

function contentKey() {
  const hash = createHash('sha256')
  for (const path of filesIn(SOURCES))
    hash.update(`${path.slice(SOURCES.length)}\0`).update(readFileSync(path))
  return hash.digest('hex').slice(0, 12)
}

/** The directories with a Kbuild or a Makefile: one module or several each. */
function moduleDirectories() {
  if (!existsSync(SOURCES)) return []
  const hasBuild = (/** @type {string} */ name) =>
    ['Kbuild', 'Makefile'].some(file => existsSync(join(SOURCES, name, file)))
  return readdirSync(SOURCES).filter(hasBuild)
}

/**
 * @param {import('./kernel.mjs').Kernel} kernel one with a tree
 * @returns {Promise<string | undefined>} the directory with every .ko, undefined when there is no module to build
 */
export async function ensureModules(kernel) {
  const names = moduleDirectories()
  if (names.length === 0 || !kernel.tree) return undefined
  const parent = cacheDirectory('modules', basename(dirname(kernel.tree)))
  const target = join(parent, contentKey())
  await withLock(parent, async () => {
    if (!existsSync(target)) {
      const title = `build modules for ${kernel.release}: ${names.join(' ')}`
      await step(title, () => build(kernel, names, target))
      sweep(parent)
    }
    markUsed(target)
  })
  return target
}

/** @param {import('./kernel.mjs').Kernel} kernel @param {string[]} names @param {string} target */
async function build({ tree = '' }, names, target) {
  const work = `${target}.unfinished`
  rmSync(work, { recursive: true, force: true })
  cpSync(SOURCES, work, { recursive: true })
  // One build for all: a module may use the symbols of another one.
  if (!existsSync(join(work, 'Kbuild')))
    writeFileSync(join(work, 'Kbuild'), names.map(name => `obj-m += ${name}/\n`).join(''))
  await run(['make', '-C', tree, `M=${work}`, 'modules'], { log: `${target}.log` })
  for (const path of filesIn(work).filter(path => path.endsWith('.ko')))
    cpSync(path, join(work, basename(path)))
  renameSync(work, target)
}

/** Every change of a source makes another directory, with a log beside it. @param {string} parent */
function sweep(parent) {
  const directories = readdirSync(parent, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => join(parent, entry.name))
  for (const path of allButNewest(directories, KEPT)) {
    if (Date.now() - statSync(path).mtimeMs < IN_USE_MS) continue
    for (const old of [path, `${path.replace('.unfinished', '')}.log`])
      rmSync(old, { recursive: true, force: true })
  }
}
