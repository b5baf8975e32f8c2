// SPDX-License-Identifier: Apache-2.0
// What every program of ours does beside its loop: as measure.h, and how much memory came to be resident.
import { readFileSync, writeFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'

/**
 * @typedef {object} Result of one run of a program
 * @property {number} seconds of CLOCK_MONOTONIC, in its loop
 * @property {number} cpuSeconds of all its threads meanwhile
 * @property {number} bytes that arrived; calls, where it makes calls
 * @property {number} [crc32] of what arrived, where it was to sum
 * @property {number} [grownBytes] how much more was resident at the most than before
 */

/** @param {'VmRSS' | 'VmHWM'} field */
function resident(field) {
  const status = readFileSync('/proc/self/status', 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
}

/** proc(5): 5 makes the peak begin anew. */
const forgetPeak = () => writeFileSync('/proc/self/clear_refs', '5')

/** @param {() => Promise<{ bytes: number, crc32?: number }>} loop @returns {Promise<Result>} */
export async function measured(loop) {
  forgetPeak()
  const before = resident('VmRSS')
  const cpu = process.cpuUsage()
  const begun = process.hrtime.bigint()
  const arrived = await loop()
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9
  const { user, system } = process.cpuUsage(cpu)
  const grownBytes = resident('VmHWM') - before
  return { seconds, cpuSeconds: (user + system) / 1e6, ...arrived, grownBytes }
}

/** Counts what arrives, and sums it where that is wanted. */
export class Arrival {
  bytes = 0
  /** @type {number | undefined} */
  crc32

  /** @param {boolean} isSummed */
  constructor(isSummed) {
    if (isSummed) this.crc32 = 0
  }

  /** @param {Buffer} chunk */
  take(chunk) {
    this.bytes += chunk.length
    if (this.crc32 !== undefined) this.crc32 = crc32(chunk, this.crc32)
  }
}
