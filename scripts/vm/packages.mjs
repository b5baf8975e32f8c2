// SPDX-License-Identifier: Apache-2.0
// The Debian packages that a part of the work needs: installed by root, named to everybody else.
import { spawnSync } from 'node:child_process'
import { MISSING, StepError, run, step } from '../steps.mjs'

/** What builds a kernel, and what runs it. */
export const BUILD_PACKAGES = [
  'gcc',
  'make',
  'bc',
  'flex',
  'bison',
  'libelf-dev',
  'xz-utils',
  'kmod',
  'ca-certificates',
]
export const VM_PACKAGES = ['qemu-system-x86', 'iproute2', 'kmod']

/** Only of those programs that this machine does not have, from wherever. @param {[program: string, name: string][]} programs */
export const packagesOf = programs =>
  programs.filter(([program]) => spawnSync(program, ['--version']).error).map(([, name]) => name)

/** @param {string[]} names */
function missing(names) {
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
  })
  if (query.error) {
    const message = `This needs a Debian system with ${names.join(' ')}: dpkg-query was not found.`
    throw new StepError(message, MISSING)
  }
  const installed = new Set(
    query.stdout
      .split('\n')
      .map(line => line.split(' '))
      .filter(words => words[1] === 'installed')
      .map(words => words[0]),
  )
  return names.filter(name => !installed.has(name))
}

/** @param {string[]} names */
const installCommand = names => ['apt-get', 'install', '-y', '--no-install-recommends', ...names]

/** A fresh machine may still be at its own upgrades. */
const PATIENCE = ['-o', 'DPkg::Lock::Timeout=120']

/** @param {string[]} names */
async function install(names) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options = { env, log: '/dev/null' }
  const command = [...installCommand(names), ...PATIENCE]
  // The lists of a fresh machine are empty or old: refresh them only when they turn out to be.
  await run(command, options).catch(async () => {
    await run(['apt-get', 'update', ...PATIENCE], { env })
    await run(command, { env })
  })
}

/** @param {string[]} names @returns {Promise<void>} */
export async function ensurePackages(names) {
  const absent = names.length > 0 ? missing([...new Set(names)]) : []
  if (absent.length === 0) return
  if (process.getuid?.() !== 0) {
    throw new StepError(
      `Missing Debian packages. As root:\n  apt-get update && ${installCommand(absent).join(' ')}`,
      MISSING,
    )
  }
  await step(`install Debian packages: ${absent.join(' ')}`, () => install(absent))
}
