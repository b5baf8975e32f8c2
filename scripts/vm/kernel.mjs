// SPDX-License-Identifier: Apache-2.0
// The guest kernels: Debian's stable 6.12 and the newest that Debian has, built once into the cache.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readArguments } from '../arguments.mjs'
import { tryWithLock, withLock } from '../lock.mjs'
import { StepError, main, say, step } from '../steps.mjs'
import { RECIPE, buildKernel, imageIn } from './build.mjs'
import { cacheDirectory, markUsed, readJson, requireBuildableCache, writeWhole } from './cache.mjs'
import { BUILD_PACKAGES, VM_PACKAGES, ensurePackages } from './packages.mjs'
import { findSource, unpackSource } from './source.mjs'

/**
 * @typedef {object} Kernel
 * @property {string} name `6.12`, `newest`, or the path of an image that is not ours
 * @property {string} [version] of Debian's source package
 * @property {string} [release] as `uname -r` says it
 * @property {string} image the bzImage
 * @property {string} [tree] the built tree: what out-of-tree modules are built against
 * @property {string} [headers] the kernel's uapi headers, as a program includes them
 */

const USAGE = 'Usage: node scripts/vm/kernel.mjs [--refresh] [6.12 | newest]...'

export const KERNELS = ['6.12', 'newest']
const STAMP = 'complete.json'
const UNUSED_AFTER_MS = 7 * 24 * 3600 * 1000

function kernelsDirectory() {
  requireBuildableCache()
  return cacheDirectory('kernels')
}

/** @param {string} directory @returns {any} the stamp of a finished build */
const stampOf = directory => readJson(join(directory, STAMP))

/** Finished builds of this recipe, the newest last. @param {string} name @returns {Kernel | undefined} */
function finished(name) {
  const directories = readdirSync(kernelsDirectory()).map(entry => join(kernelsDirectory(), entry))
  const usable = directories.filter(
    path => stampOf(path)?.recipe === RECIPE && stampOf(path).names.includes(name),
  )
  const newest = usable.sort((a, b) => stampOf(a).built - stampOf(b).built).at(-1)
  return newest ? describe(name, newest) : undefined
}

/** @param {string} name @param {string} directory @returns {Kernel} */
function describe(name, directory) {
  const { version, release } = stampOf(directory)
  markUsed(join(directory, STAMP))
  return {
    name,
    version,
    release,
    image: imageIn(directory),
    tree: join(directory, 'tree'),
    headers: join(directory, 'headers'),
  }
}

/** The image that takes the place of a kernel of ours. @param {string} name */
const ownImageFor = name => process.env.VFIO_MIGRATE_KERNEL || (name.includes('/') ? name : '')

/** The Debian packages that running these kernels needs, and building those of them that are not in the cache.
 * @param {string[]} names @returns {string[]} */
export function guestPackages(names) {
  const areBuilt = names.every(name => ownImageFor(name) || finished(name))
  return [...VM_PACKAGES, ...(areBuilt ? [] : BUILD_PACKAGES)]
}

/**
 * The kernel of that name, built when it is not in the cache. `VFIO_MIGRATE_KERNEL` takes its place.
 * @param {string} name `6.12`, `newest`, or the path of a bzImage
 * @param {{ refresh?: boolean }} [options] refresh: ask Debian whether there is a newer one
 * @returns {Promise<Kernel>}
 */
export async function ensureKernel(name, { refresh = false } = {}) {
  const own = ownImageFor(name)
  if (own) return ownImage(own)
  const cached = refresh ? undefined : finished(name)
  return cached ?? withLock(join(kernelsDirectory(), name), () => build(name, refresh))
}

/** @param {string} image @returns {Kernel} */
function ownImage(image) {
  if (!existsSync(image)) throw new StepError(`There is no kernel image ${image}`)
  return { name: image, image: resolve(image) }
}

/** @param {string} name @param {boolean} refresh @returns {Promise<Kernel>} */
async function build(name, refresh) {
  const waitedFor = refresh ? undefined : finished(name)
  if (waitedFor) return waitedFor
  await ensurePackages(BUILD_PACKAGES)
  const source = await withLock(cacheDirectory('apt'), () => findSource(name))
  const directory = join(kernelsDirectory(), `${source.version}-${RECIPE}`)
  await withLock(directory, async () => {
    cacheDirectory('kernels', basename(directory))
    if (!stampOf(directory)) await step(`kernel ${name} in ${directory}`, () => buildInto(directory, source))
    addName(directory, name)
  })
  await sweep(directory)
  return describe(name, directory)
}

/** @param {string} directory @param {import('./source.mjs').Source} source */
async function buildInto(directory, source) {
  await unpackSource(source, directory)
  const release = await buildKernel(directory)
  const stamp = { names: [], version: source.version, release, recipe: RECIPE, built: Date.now() }
  writeWhole(join(directory, STAMP), JSON.stringify(stamp))
  say(
    `  kernel ${release} takes ${spawnSync('du', ['-sh', directory], { encoding: 'utf8' }).stdout.split('\t')[0]}`,
  )
}

/** Both names may mean one kernel. @param {string} directory @param {string} name */
function addName(directory, name) {
  const stamp = stampOf(directory)
  if (stamp.names.includes(name)) return
  writeWhole(join(directory, STAMP), JSON.stringify({ ...stamp, names: [...stamp.names, name] }))
}

/** Removes what a killed build left, and kernels that nobody has used for a week. @param {string} keep */
async function sweep(keep) {
  for (const entry of readdirSync(kernelsDirectory())) {
    const directory = join(kernelsDirectory(), entry)
    if (directory === keep) continue
    await tryWithLock(directory, () => {
      if (isInUse(directory)) return
      say(`  remove ${directory}`)
      rmSync(directory, { recursive: true, force: true })
    })
  }
}

/** @param {string} directory one that nobody builds in now */
function isInUse(directory) {
  const stamp = statSync(join(directory, STAMP), { throwIfNoEntry: false })
  return stamp !== undefined && Date.now() - stamp.mtimeMs < UNUSED_AFTER_MS
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    const { values, positionals } = readArguments(USAGE, {
      allowPositionals: true,
      options: { refresh: { type: 'boolean' } },
    })
    for (const name of positionals.length > 0 ? positionals : KERNELS) {
      const kernel = await ensureKernel(name, values)
      console.log(`${name}: ${kernel.release ?? 'not ours'} ${kernel.image}`)
    }
  })
}
