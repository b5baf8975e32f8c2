// SPDX-License-Identifier: Apache-2.0
// The host's side of a running guest: carries its output, waits for its status, ends it in time.
import { setTimeout as delay } from 'node:timers/promises'
import { untilMark } from './port.mjs'
import { FIRST_PORT_FD } from './qemu.mjs'

/** @typedef {'exited' | 'timed out' | 'died'} Ending */
/** @typedef {import('node:net').Socket} Port */

const STATUS = { 'timed out': 124, died: 125 }

/** What the guest writes into /proc/sysrq-trigger, a line each. */
const REBOOT = 'b\n'
/** Everything onto the console: all tasks, then all CPUs, then the tasks that wait in the kernel. */
const EXPLAIN = '8\nt\nl\nw\n'
const EXPLAIN_MS = 3000

/**
 * @param {import('node:child_process').ChildProcess} qemu
 * @param {{ stdout?: NodeJS.WritableStream, stderr?: NodeJS.WritableStream, timeoutSeconds?: number }} options
 * @param {string} end the word of the mark at the end of the output
 * @returns {Promise<{ ending: Ending, status: number }>}
 */
export async function follow(
  qemu,
  { stdout = process.stdout, stderr = process.stderr, timeoutSeconds = 600 },
  end,
) {
  const [out, err, control] = /** @type {[Port, Port, Port]} */ (qemu.stdio.slice(FIRST_PORT_FD))
  control.on('error', () => {}) // QEMU was killed: its own end says so
  const gone = new Promise((resolve, reject) => qemu.once('error', reject).once('close', resolve)).then(
    () => 'died',
  )
  const status = firstLine(control).then(Number)
  const drained = Promise.all([untilMark(out, stdout, end), untilMark(err, stderr, end), status])
  const limit = new AbortController()
  const late = delay(timeoutSeconds * 1000, 'timed out', { signal: limit.signal }).catch(() => 'timed out')
  const ending = /** @type {Ending} */ (await Promise.race([drained.then(() => 'exited'), gone, late]))
  limit.abort()
  await FAREWELL[ending](qemu, control)
  await gone
  return { ending, status: ending === 'exited' ? await status : STATUS[ending] }
}

/** @type {Record<Ending, (qemu: import('node:child_process').ChildProcess, control: import('node:net').Socket) => unknown>} */
const FAREWELL = {
  exited: (_, control) => control.write(REBOOT),
  died: () => {},
  'timed out': async (qemu, control) => {
    control.write(EXPLAIN)
    await delay(EXPLAIN_MS)
    qemu.kill('SIGKILL')
  },
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
