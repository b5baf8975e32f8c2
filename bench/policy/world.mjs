// SPDX-License-Identifier: Apache-2.0
// A workload with a seed: all that chance decides, the same for every contestant at the same moment.
import { Flow } from './flow.mjs'
import { factor, uniform } from './random.mjs'

/** Keys of what is drawn, so that no two draws are the same. */
const key = { link: 1, slow: 2, dirty: 3, phase: 4, reinit: 5, command: 6 }
const dirtySliceMs = 20
const linkSliceMs = 100
/** The link's slow changes, in its slices. */
const slowSlices = 20
const spread = { link: 0.05, slow: 0.05, dirty: 0.15, command: 0.08, transfer: 0.05 }
/** One command in so many takes twice its time. */
const hiccup = 1 / 200

export class World {
  workload
  link
  devices
  #seed
  #noise
  #drawn = 0

  /**
   * @param {import('./workloads.mjs').Workload} workload
   * @param {number} seed
   * @param {{ noise?: number }} [options] noise: how strong it is; with 0 every time is what the workload says
   */
  constructor(workload, seed, { noise = 1 } = {}) {
    this.workload = workload
    this.#noise = noise
    this.#seed = seed * 1009 + workload.id
    this.link = new Flow(linkSliceMs, slice => workload.linkBytesPerMs * this.#linkFactor(slice))
    this.devices = workload.devices.map((device, index) => new Nature(device, this.#seed, index, noise))
  }

  /** @param {number} slice */
  #linkFactor(slice) {
    const slow = Math.floor(slice / slowSlices)
    const part = (slice % slowSlices) / slowSlices
    const [a, b] = [slow, slow + 1].map(at => factor(this.#noise * spread.slow, this.#seed, key.slow, at))
    return (a + (b - a) * part) * factor(this.#noise * spread.link, this.#seed, key.link, slice)
  }

  /** What a command of the firmware takes that should take `ms`. @param {number} ms */
  command(ms) {
    const draw = this.#drawn++
    const isHiccup = uniform(this.#seed, key.command, draw, 1) < hiccup * this.#noise
    return ms * (isHiccup ? 2 : 1) * factor(this.#noise * spread.command, this.#seed, key.command, draw, 2)
  }

  /** @param {number} ms @param {number} bytes @param {number} bytesPerMs */
  transfer(ms, bytes, bytesPerMs) {
    return (
      this.command(ms) +
      (bytes / bytesPerMs) * factor(this.#noise * spread.transfer, this.#seed, key.command, this.#drawn++, 3)
    )
  }
}

/** What a device does by itself. */
class Nature {
  device
  #seed
  #index
  #noise
  /** Bytes of writes. */
  #writes
  #phaseEnds = [0]
  #reinits = [0]

  /** @param {import('./workloads.mjs').Device} device @param {number} seed @param {number} index @param {number} noise */
  constructor(device, seed, index, noise) {
    this.#noise = noise
    this.device = device
    this.#seed = seed
    this.#index = index
    this.#writes = new Flow(dirtySliceMs, slice => device.dirtyBytesPerMs * this.#dirtyFactor(slice))
  }

  /** @param {number} slice */
  #dirtyFactor(slice) {
    const noise = factor(this.#noise * spread.dirty, this.#seed, key.dirty, this.#index, slice)
    const { phases } = this.device
    if (!phases) return noise
    const isHigh =
      this.#phase(slice * dirtySliceMs) % 2 === Math.round(uniform(this.#seed, key.phase, this.#index))
    return ((isHigh ? 2 * phases.ratio : 2) / (1 + phases.ratio)) * noise
  }

  /** The number of the phase that a moment is in. @param {number} at */
  #phase(at) {
    const meanMs = /** @type {{ meanMs: number }} */ (this.device.phases).meanMs
    return stretchAt(
      this.#phaseEnds,
      at,
      number => meanMs * -Math.log(1 - uniform(this.#seed, key.phase, this.#index, number)),
    )
  }

  /** It has begun anew between two moments: everything counts as changed. @param {number} from @param {number} to */
  beganAnew(from, to) {
    const { reinit } = this.device
    if (reinit === undefined) return false
    const { meanMs, burst, gapMs } = reinit
    const number = (/** @type {number} */ at) =>
      stretchAt(
        this.#reinits,
        at,
        next =>
          (next % burst === 1 % burst ? meanMs : gapMs) *
          -Math.log(1 - uniform(this.#seed, key.reinit, this.#index, next)),
      )
    return number(to) > number(from)
  }

  /** Bytes that differ from what they were, where nothing was saved between. @param {number} from @param {number} to */
  changed(from, to) {
    if (this.beganAnew(from, to)) return this.device.stateBytes
    const { workingSetBytes, inTurn } = this.device
    const written = this.#writes.between(from, to)
    return Math.round(
      inTurn ? Math.min(workingSetBytes, written) : workingSetBytes * -Math.expm1(-written / workingSetBytes),
    )
  }
}

/**
 * Which of a row of stretches of random length a moment is in; the row is continued as far as it is looked at.
 * @param {number[]} ends the first is 0 @param {number} at @param {(number: number) => number} length
 */
function stretchAt(ends, at, length) {
  while (ends[ends.length - 1] <= at) ends.push(ends[ends.length - 1] + length(ends.length))
  let index = ends.length - 1
  while (ends[index - 1] > at) index--
  return index
}
