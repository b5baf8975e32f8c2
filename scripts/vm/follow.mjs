// SPDX-License-Identifier: Apache-2.0
// The host's side of a running guest: carries its output, waits for its status, ends it in time.
import { untilMark } from './port.mjs'
import { FIRST_PORT_FD } from './qemu.mjs'

/** @typedef {'exited' | 'timed out' | 'died' | 'lost its emulator'} Ending */
/** @typedef {import('node:net').Socket} Port */

const STATUS = { 'timed out': 124, died: 125, 'lost its emulator': 125 }

/** What the guest writes into /proc/sysrq-trigger, a line each. */
const REBOOT = 'b\n'
/** Everything onto the console: all tasks, all CPUs, the tasks that wait in the kernel. Then reboot. */
const EXPLAIN = '8\nt\nl\nw\nb\n'
const EXPLAIN_MS = 20_000
/** A guest that has said everything gets this long to end by itself. */
const REBOOT_MS = 10_000

/**
 * @param {import('node:child_process').ChildProcess} qemu
 * @param {Pick<import('./guest.mjs').GuestOptions, 'stdout' | 'stderr' | 'timeoutSeconds' | 'timeoutOf'>} options
 * @param {string} end the word of the mark at the end of the output
 * @returns {Promise<{ ending: Ending, status: number }>}
 */
export async function follow(
  qemu,
  { stdout = process.stdout, stderr = process.stderr, timeoutSeconds = 600, timeoutOf = 'all' },
  end,
) {
  const [out, err, control] = /** @type {[Port, Port, Port]} */ (qemu.stdio.slice(FIRST_PORT_FD))
  control.on('error', () => {}) // QEMU was killed: its own end says so
  const gone = new Promise((resolve, reject) => {
    qemu
      .once('error', reject)
      .once('close', (_, signal) => resolve(signal === 'SIGSEGV' ? 'lost its emulator' : 'died'))
  })
  const status = firstLine(control).then(Number)
  const drained = Promise.all([untilMark(out, stdout, end), untilMark(err, stderr, end), status])
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise(resolve => (timer = setTimeout(resolve, timeoutSeconds * 1000, 'timed out')))
  if (timeoutOf === 'silence') for (const port of [out, err]) port.on('data', () => timer?.refresh())
  const ending = /** @type {Ending} */ (await Promise.race([drained.then(() => 'exited'), gone, late]))
  clearTimeout(timer)
  if (ending in FAREWELL) await sayFarewell(qemu, gone, control, FAREWELL[ending])
  return { ending, status: ending === 'exited' ? await status : STATUS[ending] }
}

const FAREWELL = {
  exited: { keys: REBOOT, patienceMs: REBOOT_MS },
  'timed out': { keys: EXPLAIN, patienceMs: EXPLAIN_MS },
}

/**
 * @param {import('node:child_process').ChildProcess} qemu
 * @param {Promise<unknown>} gone
 * @param {Port} control
 * @param {{ keys: string, patienceMs: number }} farewell
 */
async function sayFarewell(qemu, gone, control, { keys, patienceMs }) {
  control.write(keys)
  const timer = setTimeout(() => qemu.kill('SIGKILL'), patienceMs)
  await gone
  clearTimeout(timer)
}

/** @param {import('node:net').Socket} socket @returns {Promise<string>} */
function firstLine(socket) {
  let text = ''
  return new Promise(resolve => {
    socket.on('data', chunk => {
      text += chunk
      if (text.includes('\n')) resolve(text.trim())
    })
  })
}
