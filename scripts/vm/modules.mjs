// SPDX-License-Identifier: Apache-2.0
// Our own kernel modules, built for one kernel into the cache: test/kernel/modules/*/, and test/kernel/firmware
// with the kernel's own mlx5_vfio_pci, which runs on it and is compiled from the kernel's tree. Beside them the
// programs of test/kernel/participant, one a file.
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
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

const TEST_KERNEL = fileURLToPath(new URL('../../test/kernel', import.meta.url))
const MODULES = join(TEST_KERNEL, 'modules')
const FIRMWARE = join(TEST_KERNEL, 'firmware')
const PROGRAMS = join(TEST_KERNEL, 'participant')
/** In the kernel's tree. */
const DRIVER = 'drivers/vfio/pci/mlx5'
const DRIVER_BUILD = 'obj-m := mlx5-vfio-pci.o\nmlx5-vfio-pci-y := main.o cmd.o\n'
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
  const hash = createHash('sha256').update(DRIVER_BUILD)
  for (const path of [MODULES, FIRMWARE, PROGRAMS].flatMap(filesIn))
    hash.update(`${path.slice(TEST_KERNEL.length)}\0`).update(readFileSync(path))
  return hash.digest('hex').slice(0, 12)
}

/** @param {string} tree @returns {Record<string, string>} what is built in a directory of that name, from where */
function sourcesOf(tree) {
  const own = readdirSync(MODULES).map(name => [name, join(MODULES, name)])
  return { ...Object.fromEntries(own), firmware: FIRMWARE, mlx5: join(tree, DRIVER) }
}

/**
 * @param {import('./kernel.mjs').Kernel} kernel one with a tree
 * @returns {Promise<string | undefined>} the directory with every .ko and program, undefined without a tree to build against
 */
export async function ensureModules(kernel) {
  if (!kernel.tree) return undefined
  const parent = cacheDirectory('modules', basename(dirname(kernel.tree)))
  const target = join(parent, contentKey())
  const sources = sourcesOf(kernel.tree)
  await withLock(parent, async () => {
    if (!existsSync(target)) {
      const title = `build modules for ${kernel.release}: ${Object.keys(sources).join(' ')}`
      await step(title, () => build(kernel, sources, target))
      sweep(parent)
    }
    markUsed(target)
  })
  return target
}

/** @param {import('./kernel.mjs').Kernel} kernel @param {Record<string, string>} sources @param {string} target */
async function build({ tree = '', headers = '' }, sources, target) {
  const work = `${target}.unfinished`
  rmSync(work, { recursive: true, force: true })
  for (const [name, path] of Object.entries(sources)) copySources(path, join(work, name))
  writeFileSync(join(work, 'mlx5/Kbuild'), DRIVER_BUILD)
  // One build for all: a module may use the symbols of another one.
  const names = Object.keys(sources)
  writeFileSync(join(work, 'Kbuild'), names.map(name => `obj-m += ${name}/\n`).join(''))
  await run(['make', '-C', tree, `M=${work}`, 'modules'], { log: `${target}.log` })
  for (const path of filesIn(work).filter(path => path.endsWith('.ko')))
    cpSync(path, join(work, basename(path)))
  for (const path of filesIn(PROGRAMS).filter(path => path.endsWith('.c'))) {
    const program = join(work, basename(path, '.c'))
    await run(['cc', '-O2', '-Wall', '-Wextra', '-Werror', '-isystem', headers, '-o', program, path])
  }
  renameSync(work, target)
}

/** Without what the kernel's own build may have left beside them. @param {string} from @param {string} to */
function copySources(from, to) {
  const isSource = (/** @type {string} */ name) => /^Kbuild$|\.[ch]$/.test(name)
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from).filter(isSource)) cpSync(join(from, name), join(to, name))
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
