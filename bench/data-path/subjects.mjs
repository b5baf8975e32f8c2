// SPDX-License-Identifier: Apache-2.0
// What is measured against what, and what has to come of it.
import { availableParallelism } from 'node:os'

/**
 * @typedef {object} Subject
 * @property {string} row what it is called on the command line
 * @property {string} name
 * @property {string} against
 * @property {string} ours the program, see programs.mjs
 * @property {string} yardstick likewise
 * @property {string} unit of judge.mjs
 * @property {number} required
 * @property {boolean} atLeast
 */

const readLoop = { against: 'C read loop, 1 MiB', yardstick: 'read' }
const speed = { unit: 'GiB/s', atLeast: true }

/** @type {Subject[]} */
export const subjects = [
  {
    row: 'pump',
    name: '`pump` to /dev/null',
    ours: 'pump',
    ...readLoop,
    ...speed,
    required: 0.97,
  },
  {
    row: 'chunks',
    name: '`chunks()` discarded',
    ours: 'chunks',
    ...readLoop,
    ...speed,
    required: 0.85,
  },
  {
    row: 'cpu',
    name: 'CPU of `chunks()`',
    ours: 'chunks',
    ...readLoop,
    unit: 'CPU ms a GiB',
    required: 1.5,
    atLeast: false,
  },
  {
    row: 'readable',
    name: 'plain Readable discarded',
    ours: 'readable',
    against: '`fs.createReadStream`',
    yardstick: 'createReadStream 64 KiB',
    ...speed,
    required: 4,
  },
  {
    row: 'readable-mib',
    name: 'plain Readable discarded',
    ours: 'readable',
    against: '`fs.createReadStream`, 1 MiB',
    yardstick: 'createReadStream 1 MiB',
    ...speed,
    required: 1,
  },
  {
    row: 'socket',
    name: '`copyTo(net.Socket)` to a C receiver',
    ours: 'copyTo',
    against: 'C read + send loop, 1 MiB',
    yardstick: 'send',
    ...speed,
    // The one that reads and the one that sends run at once where the receiver leaves them cores.
    required: availableParallelism() >= 4 ? 1.1 : 1,
  },
  {
    row: 'resuming',
    name: 'resumingStream from memory',
    ours: 'resuming',
    against: 'C write loop, 1 MiB',
    yardstick: 'write',
    ...speed,
    required: 0.85,
  },
  {
    row: 'state',
    name: '`state()` round trip, on one CPU',
    ours: 'state',
    against: '`fs.fstat` with a callback, on one CPU',
    yardstick: 'fstat',
    unit: 'µs each',
    required: 1,
    atLeast: false,
  },
  {
    row: 'blocked',
    name: '`fs.readFile` and `dns.lookup` beside 32 sessions that are blocked in a read',
    ours: 'beside blocked',
    against: 'alone',
    yardstick: 'alone',
    unit: 'µs each',
    required: 2,
    atLeast: false,
  },
]

const mostGrownMiB = 32

/** Of these, how much more is resident at the most. @type {{ row: string, ours: string, title: string }[]} */
const grown = [
  { row: 'resident-pump', ours: 'pump', title: '`pump`' },
  { row: 'resident-chunks', ours: 'chunks', title: '`chunks()`' },
  { row: 'resident-readable', ours: 'readable', title: 'plain Readable' },
  { row: 'resident-socket', ours: 'copyTo', title: '`copyTo(net.Socket)`' },
  { row: 'resident-resuming', ours: 'resuming', title: 'resumingStream' },
]

/** How many times as long as the other runs. */
export const longTimes = 8

export const growths = grown.map(({ title, ...rest }) => ({
  ...rest,
  name: `resident growth over ${longTimes} GiB, MiB: ${title}`,
  against: 'after 1 GiB',
  required: mostGrownMiB,
  atLeast: false,
}))

/** On each kernel; `ours` and `yardstick` are of guest.mjs. @param {string} release @returns {Subject} */
export const guestSubject = release => ({
  row: 'vm',
  name: `bottled mlx5, \`save\` to /dev/null, Linux ${release}`,
  ours: 'save',
  against: 'C read loop, 1 MiB, on the same fd',
  yardstick: 'read',
  ...speed,
  required: 0.9,
})

export const rowNames = [...subjects.map(({ row }) => row), ...growths.map(({ row }) => row), 'vm']
