// SPDX-License-Identifier: Apache-2.0
// Source tree in, bootable kernel out: configuration, image, the symbols that modules link to, uapi headers.
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { StepError, run, step } from '../steps.mjs'
import { writeWhole } from './cache.mjs'

const OPTIONS = readFileSync(new URL('kernel.config', import.meta.url), 'utf8')
  .split('\n')
  .filter(line => /^\w/.test(line))
const FRAGMENT = OPTIONS.map(option => `CONFIG_${option}=y\n`).join('')

const CONFIGURE = [
  ['make', 'tinyconfig'],
  ['scripts/kconfig/merge_config.sh', '-m', '.config', '../fragment'],
  ['make', 'olddefconfig'],
]

/** `modules` builds none; it writes Module.symvers, without which no out-of-tree module links. */
const TARGETS = ['bzImage', 'modules', 'headers']

/** What decides the result beside the source: another value means another directory in the cache. */
export const RECIPE = createHash('sha256')
  .update(JSON.stringify([FRAGMENT, CONFIGURE, TARGETS]))
  .digest('hex')
  .slice(0, 12)

export const imageIn = (/** @type {string} */ directory) => join(directory, 'tree/arch/x86/boot/bzImage')

/** @param {string} directory with the source in `tree` @returns {Promise<string>} the kernel's release */
export async function buildKernel(directory) {
  const tree = join(directory, 'tree')
  const log = join(directory, 'build.log')
  rmSync(log, { force: true })
  await step('configure the kernel', () => configure(tree, log))
  for (const target of TARGETS) await step(`make ${target}`, () => make(tree, log, target))
  installHeaders(tree, join(directory, 'headers'))
  return readFileSync(join(tree, 'include/config/kernel.release'), 'utf8').trim()
}

/**
 * The children of a make that was killed live on for a moment. They have inherited this lock, so that
 * the build which takes over begins when the last of them is gone.
 * @param {string} tree
 * @param {string[]} command
 */
const alone = (tree, command) => ['flock', '--no-fork', join(tree, '../lock'), ...command]

/** @param {string} tree @param {string} log */
async function configure(tree, log) {
  writeWhole(join(tree, '../fragment'), FRAGMENT)
  for (const command of CONFIGURE) await run(alone(tree, command), { cwd: tree, log })
  const kept = new Set(readFileSync(join(tree, '.config'), 'utf8').split('\n'))
  // merge_config drops an option whose dependencies are missing and calls that a success.
  const lost = OPTIONS.filter(option => !kept.has(`CONFIG_${option}=y`))
  if (lost.length > 0)
    throw new StepError(`The kernel's configuration lost ${lost.join(' ')}: see ${tree}/.config`)
}

/** @param {string} tree @param {string} log @param {string} target */
function make(tree, log, target) {
  const command = alone(tree, ['nice', 'make', `-j${availableParallelism()}`, target])
  const env = { ...process.env, KBUILD_BUILD_USER: 'vfio-migrate', KBUILD_BUILD_HOST: 'cache' }
  return run(command, {
    cwd: tree,
    env,
    log,
    progress: (lines, last) => `${lines} lines of output, now ${last}`,
  })
}

/** `make headers_install` needs rsync only to copy what `make headers` has made. @param {string} tree @param {string} headers */
function installHeaders(tree, headers) {
  rmSync(headers, { recursive: true, force: true })
  mkdirSync(headers)
  const filter = (/** @type {string} */ path) => path.endsWith('.h') || statSync(path).isDirectory()
  cpSync(join(tree, 'usr/include'), headers, { recursive: true, filter })
}
