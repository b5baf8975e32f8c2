// SPDX-License-Identifier: Apache-2.0
// Debian's kernel sources: which there are, and how one gets unpacked.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { StepError, step } from '../steps.mjs'
import { privateApt } from './apt.mjs'
import { writeWhole } from './cache.mjs'

const PREFIX = 'linux-source-'

/** Two thirds of a kernel tree are drivers and documents that no configuration of ours can reach. */
const LEFT_OUT = [
  '*/drivers/gpu/*.[ch]',
  '*/drivers/media/*.[ch]',
  '*/drivers/staging/*.[ch]',
  '*/sound/*.[ch]',
  '*/arch/[a-wy-z]*/*.[chS]',
  '*.dts',
  '*.dtsi',
  '*.dtso',
  '*/tools/perf',
  '*/tools/testing',
  '*.rst',
  '*.yaml',
]

/** @param {string} a @param {string} b */
const byVersion = (a, b) => a.localeCompare(b, 'en', { numeric: true })

/**
 * @typedef {{ name: string, package: string, version: string, apt: Awaited<ReturnType<typeof privateApt>> }} Source
 * @param {string} name a series such as `6.12`, or `newest`
 * @returns {Promise<Source>}
 */
export async function findSource(name) {
  const apt = await step(`ask Debian for the ${name} kernel source`, privateApt)
  const series = apt
    .names(PREFIX)
    .filter(candidate => /^linux-source-[\d.]+$/.test(candidate))
    .sort(byVersion)
  const found = name === 'newest' ? series.at(-1) : series.find(candidate => candidate === PREFIX + name)
  if (!found) throw new StepError(`Debian has no kernel source ${name}; it has ${series.join(' ')}`)
  return { name, package: found, version: apt.candidate(found), apt }
}

/**
 * Puts the source into `directory/tree`, unless a run before this one has finished doing so.
 * @param {Source} source
 * @param {string} directory
 */
export async function unpackSource(source, directory) {
  const tree = join(directory, 'tree')
  const stamp = join(directory, 'unpacked')
  if (existsSync(stamp)) return
  const download = join(directory, 'download')
  for (const path of [tree, download]) rmSync(path, { recursive: true, force: true })
  for (const path of [tree, download]) mkdirSync(path, { recursive: true })
  await step(`download ${source.package} ${source.version}`, () =>
    source.apt.download(source.package, download),
  )
  await step('unpack it', () => unpack(join(download, onlyEntry(download)), source.package, tree))
  rmSync(download, { recursive: true })
  writeWhole(stamp, '')
}

/** @param {string} directory */
function onlyEntry(directory) {
  const [entry] = readdirSync(directory)
  if (!entry) throw new StepError(`apt-get put nothing into ${directory}`)
  return entry
}

/** The tarball inside of the package goes straight through: it is never on the disk. @param {string} deb @param {string} name @param {string} tree */
function unpack(deb, name, tree) {
  const excluded = LEFT_OUT.map(pattern => `--exclude=${pattern}`)
  return pipe([
    ['dpkg-deb', '--fsys-tarfile', deb],
    ['tar', '-xO', `./usr/src/${name}.tar.xz`],
    ['tar', '-xJ', '-C', tree, '--strip-components=1', ...excluded],
  ])
}

/** @param {string[][]} commands each one's output is the next one's input */
async function pipe(commands) {
  /** @type {import('node:stream').Readable | undefined} */
  let input
  const children = commands.map(([file = '', ...args], index) => {
    const last = index === commands.length - 1
    const child = spawn(file, args, { stdio: ['pipe', last ? 'ignore' : 'pipe', 'inherit'] })
    child.stdin?.on('error', () => {}) // a reader that ended early says so by its own status
    if (input && child.stdin) input.pipe(child.stdin)
    else child.stdin?.end()
    input = child.stdout ?? undefined
    return once(child, 'close')
  })
  const statuses = await Promise.all(children)
  const failed = statuses.findLastIndex(([code]) => code !== 0)
  if (failed >= 0) throw new StepError(`${commands[failed]?.join(' ')} ended with ${statuses[failed]}`)
}
