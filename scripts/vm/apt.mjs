// SPDX-License-Identifier: Apache-2.0
// Kernel sources come from other suites than the machine's own, so apt gets a configuration of ours,
// with its own lists in the cache. The system's package sources are read, never written.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { StepError, run } from '../steps.mjs'
import { cacheDirectory, writeWhole } from './cache.mjs'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const DEFAULT_MIRROR = 'http://deb.debian.org/debian'

/** The text of every file that the system's apt reads package sources from. */
function systemSources() {
  const parts = '/etc/apt/sources.list.d'
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(parts) ? readdirSync(parts).map(name => join(parts, name)) : []),
  ]
  return files
    .filter(existsSync)
    .map(path => readFileSync(path, 'utf8'))
    .join('\n')
}

/** @param {RegExp} pattern */
function mirror(pattern) {
  const lines = systemSources()
    .split('\n')
    .filter(line => /^\s*(deb\s|URIs:)/.test(line))
  return lines
    .flatMap(line => line.split(/\s+/))
    .find(word => pattern.test(word))
    ?.replace(/\/$/, '')
}

/** One line a suite, the machine's own security suite first: it backports the stable kernel. */
function sourceLines() {
  const debian = mirror(/^\w+:\/\/.*\/debian\/?$/) ?? DEFAULT_MIRROR
  const security = mirror(/^\w+:\/\/.*\/debian-security\/?$/) ?? `${debian}-security`
  const suites = [
    [security, 'bookworm-security'],
    [debian, 'trixie'],
    [debian, 'sid'],
  ]
  return suites.map(([uri, suite]) => `deb [signed-by=${KEYRING}] ${uri} ${suite} main\n`).join('')
}

/** @param {string} directory @returns {string} the path of the configuration */
function writeConfiguration(directory) {
  const lists = cacheDirectory('apt', 'lists', 'partial').replace(/\/partial$/, '')
  const archives = cacheDirectory('apt', 'archives', 'partial').replace(/\/partial$/, '')
  const settings = {
    'Dir::Etc::sourcelist': join(directory, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': lists,
    'Dir::Cache': directory,
    'Dir::Cache::archives': archives,
    'Acquire::Languages': 'none',
    // apt, run by root, would drop to _apt, who may not write into a home directory.
    'APT::Sandbox::User': 'root',
  }
  writeWhole(join(directory, 'sources.list'), sourceLines())
  const path = join(directory, 'apt.conf')
  writeWhole(
    path,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(''),
  )
  return path
}

/** An apt that sees the Debian suites with kernel sources, its lists fresh. */
export async function privateApt() {
  const directory = cacheDirectory('apt')
  const env = { ...process.env, APT_CONFIG: writeConfiguration(directory), LC_ALL: 'C' }
  await run(['apt-get', 'update'], { env, log: join(directory, 'update.log') })
  const ask = (/** @type {string[]} */ ...args) =>
    spawnSync('apt-cache', args, { env, encoding: 'utf8' }).stdout
  return {
    /** @param {string} prefix @returns {string[]} */
    names: prefix => ask('pkgnames', prefix).split('\n').filter(Boolean),
    /** @param {string} name @returns {string} the version that a download would bring */
    candidate(name) {
      const version = ask('policy', name).match(/Candidate: (\S+)/)?.[1]
      if (!version || version === '(none)') throw new StepError(`Debian's archive has no package ${name}`)
      return version
    },
    /** @param {string} name @param {string} into */
    download: (name, into) =>
      run(['apt-get', 'download', name], { env, cwd: into, log: join(directory, 'download.log') }),
  }
}
