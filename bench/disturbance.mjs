// SPDX-License-Identifier: Apache-2.0
// A machine that is a guest may lose its CPUs to others at any moment, and a program of two threads loses more by that than
// one of one: such a round says nothing of either. The null ratio does not tell, being of the yardstick alone.
import { readFileSync } from 'node:fs'

/** Of a round's time, on one CPU, so much may be lost. */
const mostLost = 0.01
/** proc_stat(5) counts in USER_HZ, which is 100 on every architecture that has VFIO. */
const ticksPerSecond = 100
const stealField = 8

/** What the hypervisor has given to others so far of all CPUs, in s. @param {string} stat of /proc/stat */
export function stolenSeconds(stat) {
  const [total = ''] = stat.split('\n')
  return Number(total.split(/\s+/)[stealField]) / ticksPerSecond
}

/** @typedef {{ at: number, stolen: number }} Sample when, and what was lost until then, in s */

/** @returns {Sample} */
const sampleNow = () => ({
  at: Number(process.hrtime.bigint()) / 1e9,
  stolen: stolenSeconds(readFileSync('/proc/stat', 'utf8')),
})

/** Which rounds of one series were disturbed. No more than `most` are made again, so that it ends on a machine that is never quiet. */
export class Disturbance {
  #most
  #sample
  /** @type {Sample} */
  #began = { at: 0, stolen: 0 }
  /** Rounds that were made again. */
  madeAgain = 0
  /** Rounds that were disturbed, and kept all the same. */
  kept = 0

  /** @param {number} most @param {() => Sample} [sample] */
  constructor(most, sample = sampleNow) {
    this.#most = most
    this.#sample = sample
  }

  begin() {
    this.#began = this.#sample()
  }

  /** Whether what was made since is to be made again. */
  end() {
    const { at, stolen } = this.#sample()
    if (stolen - this.#began.stolen <= mostLost * (at - this.#began.at)) return false
    const isAgain = this.madeAgain < this.#most
    if (isAgain) this.madeAgain++
    else this.kept++
    return isAgain
  }
}
