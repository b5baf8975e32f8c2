// SPDX-License-Identifier: Apache-2.0
// Makes a fresh clone ready, and a used one up to date: packages, addon, compiled TypeScript.
import { accessSync, closeSync, constants, existsSync, openSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'
import { isStale, removeOrphans } from './newer.mjs'
import { MISSING, StepError, main, run, step } from './steps.mjs'
import { ensurePackages, packagesOf } from './vm/packages.mjs'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
const at = (/** @type {string[]} */ ...parts) => join(ROOT, ...parts)

const INSTALLED = at('node_modules/.package-lock.json')
const ADDON = at('build/Release/vfio_migrate.node')
/** Not tsc's own .tsbuildinfo, which it writes in spite of errors. */
const COMPILED = at('dist-test/.compiled')
/** Outside of dist, which is packed. */
const LIBRARY_COMPILED = at('node_modules/.library-compiled')

/** What node-gyp runs, and the Debian package that has it. @type {[string, string][]} */
const COMPILERS = [
  ['g++', 'g++'],
  ['make', 'make'],
  ['python3', 'python3'],
]

async function installPackages() {
  // An installation for production has the lock file, but not what builds the addon.
  if (!isStale(INSTALLED, [at('package-lock.json')]) && existsSync(at('node_modules/node-gyp'))) return
  const command = ['npm', 'ci', '--include=dev', '--no-audit', '--no-fund']
  await step('npm ci', () => run(command, { cwd: ROOT }))
}

const addonIsStale = () =>
  isStale(
    ADDON,
    ['binding.gyp', 'native', 'package-lock.json'].map(path => at(path)),
  )

/** Node's own headers where they are installed beside it; otherwise node-gyp downloads them. */
function nodeDirectory() {
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []
}

async function buildAddon() {
  if (!addonIsStale()) return
  const gyp = at('node_modules/node-gyp/bin/node-gyp.js')
  // Not `rebuild`, which begins by deleting the objects that are still good.
  const command = [process.execPath, gyp, 'configure', 'build', ...nodeDirectory()]
  const log = at('node_modules/.addon-build.log')
  await stamped(ADDON, () => step('compile the addon', () => run(command, { cwd: ROOT, log })))
}

const SETTINGS = ['tsconfig.json', 'tsconfig.base.json', 'package.json'].map(path => at(path))

async function compileTypeScript() {
  const inputs = [at('lib'), at('test'), ...SETTINGS]
  if (existsSync(at('dist')) && !isStale(COMPILED, inputs)) return
  removeOrphans(at('dist-test'), at('test'))
  await compile('compile TypeScript', ['tsconfig.json', 'test/tsconfig.json'], COMPILED)
}

async function compileLibrary() {
  const inputs = [at('lib'), ...SETTINGS]
  const isFresh = [COMPILED, LIBRARY_COMPILED].some(stamp => !isStale(stamp, inputs))
  if (existsSync(at('dist')) && isFresh) return
  await compile('compile the library', ['tsconfig.json'], LIBRARY_COMPILED)
}

/** @param {string} title @param {string[]} projects @param {string} stamp */
async function compile(title, projects, stamp) {
  removeOrphans(at('dist'), at('lib'))
  const tsc = at('node_modules/typescript/bin/tsc')
  const command = [process.execPath, tsc, '-b', ...projects.map(path => at(path))]
  await stamped(stamp, () => step(title, () => run(command, { cwd: ROOT })))
}

/**
 * Marks an output as up to date after a build that succeeded, although make writes none that would say
 * the same as before; with the time of the beginning, because an input may change while a compiler runs.
 * @param {string} output
 * @param {() => Promise<void>} build
 */
async function stamped(output, build) {
  const began = new Date()
  await build()
  closeSync(openSync(output, 'a'))
  utimesSync(output, began, began)
}

/** Everything that is built lies in the clone. */
function requireWritable() {
  try {
    accessSync(ROOT, constants.W_OK)
  } catch {
    throw new StepError(`${ROOT} is not yours to write: clone the project into a directory that is.`, MISSING)
  }
}

/**
 * Says what it does; says nothing when there is nothing to do.
 * @param {string[]} [packages] Debian packages that the command needs later: asked for here, all at once
 * @returns {Promise<void>}
 */
export function setup(packages = []) {
  return withLock(ROOT, async () => {
    requireWritable()
    await ensurePackages([...(addonIsStale() ? packagesOf(COMPILERS) : []), ...packages])
    await installPackages()
    await buildAddon()
    await compileTypeScript()
  })
}

/** What moving a simulated device takes: neither the addon nor what tests it. @returns {Promise<void>} */
export function setupLibrary() {
  return withLock(ROOT, async () => {
    requireWritable()
    await installPackages()
    await compileLibrary()
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(() => setup())
