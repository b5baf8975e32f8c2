// SPDX-License-Identifier: Apache-2.0
// Makes a fresh clone ready, and a used one up to date: packages, addon, compiled TypeScript.
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'
import { isStale, removeOrphans } from './newer.mjs'
import { MISSING, StepError, main, run, step } from './steps.mjs'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
const at = (/** @type {string[]} */ ...parts) => join(ROOT, ...parts)

const INSTALLED = at('node_modules/.package-lock.json')
const ADDON = at('build/Release/vfio_migrate.node')
/** Not tsc's own .tsbuildinfo, which it writes in spite of errors. */
const COMPILED = at('dist-test/.compiled')

/** What node-gyp runs, and the Debian package that has it. */
const COMPILERS = [
  ['g++', 'g++'],
  ['make', 'make'],
  ['python3', 'python3'],
]

async function installPackages() {
  if (!isStale(INSTALLED, [at('package-lock.json')])) return
  await step('npm ci', () => run(['npm', 'ci', '--no-audit', '--no-fund'], { cwd: ROOT }))
}

function requireCompilers() {
  const absent = COMPILERS.filter(([program = '']) => spawnSync(program, ['--version']).error)
  if (absent.length === 0) return
  const [programs, packages] = [0, 1].map(column => absent.map(row => row[column]).join(' '))
  throw new StepError(
    `The addon cannot be compiled: no ${programs}. As root:\n  apt-get install ${packages}`,
    MISSING,
  )
}

/** Node's own headers where they are installed beside it; otherwise node-gyp downloads them. */
function nodeDirectory() {
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []
}

async function buildAddon() {
  if (!existsSync(at('binding.gyp')) || !isStale(ADDON, [at('binding.gyp'), at('native')])) return
  requireCompilers()
  const gyp = at('node_modules/node-gyp/bin/node-gyp.js')
  // Not `rebuild`, which begins by deleting the objects that are still good.
  const command = [process.execPath, gyp, 'configure', 'build', ...nodeDirectory()]
  const log = at('node_modules/.addon-build.log')
  await stamped(ADDON, () => step('compile the addon', () => run(command, { cwd: ROOT, log })))
}

async function compileTypeScript() {
  const inputs = ['lib', 'test', 'tsconfig.json', 'tsconfig.base.json', 'package.json'].map(path => at(path))
  if (existsSync(at('dist')) && !isStale(COMPILED, inputs)) return
  removeOrphans(at('dist'), at('lib'))
  removeOrphans(at('dist-test'), at('test'))
  const tsc = at('node_modules/typescript/bin/tsc')
  const projects = ['tsconfig.json', 'test/tsconfig.json'].map(path => at(path))
  const command = [process.execPath, tsc, '-b', ...projects]
  await stamped(COMPILED, () => step('compile TypeScript', () => run(command, { cwd: ROOT })))
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

/** Says what it does; says nothing when there is nothing to do. @returns {Promise<void>} */
export function setup() {
  return withLock(ROOT, async () => {
    await installPackages()
    await buildAddon()
    await compileTypeScript()
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(setup)
