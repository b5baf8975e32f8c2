// SPDX-License-Identifier: Apache-2.0
// Runs one command in a guest: its output as it comes, its exit status, and what the kernel complained about.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { allButNewest } from '../newer.mjs'
import { temporaryDirectory } from '../temporary.mjs'
import { cacheDirectory, writeWhole } from './cache.mjs'
import { kernelWarnings } from './console.mjs'
import { follow } from './follow.mjs'
import { writeJob } from './job.mjs'
import { VM_PACKAGES, ensurePackages } from './packages.mjs'
import { PORTS, qemuArguments } from './qemu.mjs'

/**
 * @typedef {object} GuestOptions
 * @property {import('./kernel.mjs').Kernel} kernel
 * @property {string[]} command
 * @property {Record<string, string>} [env]
 * @property {string} [cwd] the caller's, when it is not given
 * @property {number} [memory] MiB
 * @property {number} [vfs] how many virtual functions the guest has of each physical one
 * @property {number} [pfs] 1
 * @property {'remapping' | 'no-remapping' | 'none'} [iommu]
 * @property {string[]} [writable] directories of the host that the guest may write, at the same paths
 * @property {number} [timeoutSeconds] 600
 * @property {'all' | 'silence'} [timeoutOf] what may take so long: all of it, or the time between two pieces of output
 * @property {NodeJS.WritableStream} [stdout]
 * @property {NodeJS.WritableStream} [stderr]
 *
 * @typedef {object} GuestResult
 * @property {import('./follow.mjs').Ending} ending died: a panic, or QEMU was ended; lost its emulator: QEMU crashed
 * @property {number} status the command's own when it exited, 124 after the time limit, 125 when the guest died
 * @property {string[]} warnings kernel lines about trouble that no test announced
 * @property {string} console the kernel's console
 * @property {string} consoleLog a file with it, kept until some more runs have gone wrong; empty when all is well
 */

const KEPT_LOGS = 8
let serial = 0

/** @param {GuestOptions} options @returns {Promise<GuestResult>} */
export async function runInGuest(options) {
  await ensurePackages(VM_PACKAGES)
  const jobDirectory = temporaryDirectory('vm')
  const consoleLog = join(jobDirectory, 'console.log')
  const end = randomBytes(16).toString('hex')
  writeJob(jobDirectory, { ...options, end })
  const qemu = startQemu(options, jobDirectory, consoleLog)
  const stopListening = onSignal(() => finish())
  const finish = () => {
    stopListening()
    qemu.kill('SIGKILL')
    rmSync(jobDirectory, { recursive: true, force: true })
  }
  try {
    const { ending, status } = await follow(qemu, options, end)
    const console = existsSync(consoleLog) ? readFileSync(consoleLog, 'utf8') : ''
    const warnings = kernelWarnings(console)
    return {
      ending,
      status,
      warnings,
      console,
      consoleLog: ending !== 'exited' || warnings.length > 0 ? keep(console, options.kernel) : '',
    }
  } finally {
    finish()
  }
}

/** @param {string} console @param {import('./kernel.mjs').Kernel} kernel @returns {string} the path */
function keep(console, { release, image }) {
  const directory = logDirectory()
  const path = join(directory, `console-${release ?? basename(image)}-${process.pid}-${++serial}.log`)
  writeWhole(path, console)
  const logs = readdirSync(directory).filter(name => /^console.*\.log$/.test(name))
  const paths = logs.map(name => join(directory, name))
  for (const old of allButNewest(paths, KEPT_LOGS)) rmSync(old, { force: true })
  return path
}

/** What a guest died of is worth another place, up to the next run, when the cache is one that we may only read. */
function logDirectory() {
  try {
    const directory = cacheDirectory('logs')
    accessSync(directory, constants.W_OK)
    return directory
  } catch {
    return temporaryDirectory('console')
  }
}

/**
 * @param {GuestOptions} options
 * @param {string} jobDirectory
 * @param {string} consoleLog
 * @returns {import('node:child_process').ChildProcess}
 */
function startQemu(options, jobDirectory, consoleLog) {
  const { memory = 2048, vfs = 0, pfs = 1, iommu = 'remapping', writable = [] } = options
  const machine = { image: options.kernel.image, memory, vfs, pfs, iommu, writable, consoleLog, jobDirectory }
  // setpriv: even when this process is killed outright, its guest does not live on.
  const command = ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...qemuArguments(machine)]
  /** @type {import('node:child_process').StdioOptions} */
  const stdio = ['ignore', 'inherit', 'inherit', ...PORTS.map(() => /** @type {const} */ ('pipe'))]
  return spawn('setpriv', command, { stdio })
}

/** Calls back before one of the usual signals ends this process. @param {() => void} clean */
function onSignal(clean) {
  const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map(signal => ({ signal, end: () => endBy(signal) }))
  const stop = () => handlers.forEach(({ signal, end }) => process.off(signal, end))
  const endBy = (/** @type {string} */ signal) => {
    clean()
    process.kill(process.pid, signal)
  }
  handlers.forEach(({ signal, end }) => process.on(signal, end))
  return stop
}
