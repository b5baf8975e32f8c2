// SPDX-License-Identifier: Apache-2.0
// A device that is saved, by the rules of its driver: what answers promise, when images are begun and what they hold.

/** Of a record, and of the record that begins the stream of mlx5. */
export const headerBytes = 16
const setupBytes = 40
/** virtio asks its device at most once a second. */
const virtioAskMs = 1000

/**
 * @typedef {{ savedAt: number, bytes: number }} Image
 * @typedef {{ answeredAt: number, initialBytes: number, dirtyBytes: number, reinit: boolean, image: Image | undefined }} Answer
 */

/** One session of saving. */
export class Saving {
  #world
  #nature
  #saves = 0
  /** When the last tracked image was begun. */
  #begunAt = 0
  #savedAt = 0
  #hasGivenUp = false
  #askedAt = 0
  /** @type {Image | undefined} the first image, until it was told of */
  #first
  /** Bytes of all images of it. */
  savedBytes = 0

  /** @param {import('./world.mjs').World} world @param {number} index @param {number} at when pre-copy begins */
  constructor(world, index, at) {
    this.#world = world
    this.#nature = world.devices[index]
    this.#begunAt = at
    this.#first = this.#begin(at)
  }

  get device() {
    return this.#nature.device
  }

  /** When the arc into pre-copy is done: virtio makes its image in it. */
  get enteredAt() {
    return this.device.driver === 'virtio' ? this.#savedAt : this.#begunAt
  }

  /** When the SAVE that runs is done. */
  get savedAt() {
    return this.#savedAt
  }

  /** @param {number} at @returns {Image | undefined} */
  #begin(at) {
    const { driver, stateBytes } = this.device
    if (driver === 'setup') return { savedAt: at, bytes: setupBytes }
    return driver === 'none' ? undefined : this.#save(at, stateBytes)
  }

  /** @param {number} at @param {number} bytes @returns {Image | undefined} */
  #save(at, bytes) {
    const { saveMs, saveBytesPerMs, failsAtSave } = this.device
    this.#saves++
    this.#savedAt = at + this.#world.transfer(saveMs, bytes, saveBytesPerMs)
    if (this.#saves === failsAtSave) {
      this.#hasGivenUp = true
      return undefined
    }
    this.savedBytes += bytes + headerBytes
    return { savedAt: this.#savedAt, bytes: bytes + headerBytes }
  }

  /** GET_PRECOPY_INFO where everything was read. @param {number} at @returns {Answer} */
  ask(at) {
    const first = this.#first
    this.#first = undefined
    const answer = first ? this.#tellFirst(first, at) : this.#tellNext(at)
    this.#askedAt = at
    return answer
  }

  /** @param {Image} image @param {number} at */
  #tellFirst(image, at) {
    const answeredAt = Math.max(at, image.savedAt) + this.#world.command(this.device.queryMs)
    return { answeredAt, initialBytes: image.bytes, dirtyBytes: 0, reinit: false, image }
  }

  /** @param {number} at @returns {Answer} */
  #tellNext(at) {
    const { driver, stateBytes, queryMs } = this.device
    const answeredAt = Math.max(at, this.#savedAt) + this.#world.command(queryMs)
    const nothing = { answeredAt, initialBytes: 0, dirtyBytes: 0, reinit: false, image: undefined }
    if (driver === 'virtio' && at - this.#askedAt >= virtioAskMs) {
      const image = /** @type {Image} */ (this.#save(answeredAt, stateBytes))
      return { ...nothing, answeredAt: image.savedAt, dirtyBytes: image.bytes, image }
    }
    return driver === 'mlx5' && !this.#hasGivenUp ? this.#tellIncrement(nothing) : nothing
  }

  /** Promises one header too, as Linux 7.2 does, and begins the image. @param {Answer} nothing @returns {Answer} */
  #tellIncrement(nothing) {
    const { answeredAt } = nothing
    const reinit = this.#nature.beganAnew(this.#begunAt, answeredAt)
    const bytes = this.#nature.changed(this.#begunAt, answeredAt)
    if (bytes === 0) return nothing
    this.#begunAt = answeredAt
    const promised = bytes + headerBytes
    const image = this.#save(answeredAt, bytes)
    return {
      ...nothing,
      reinit,
      image,
      initialBytes: reinit ? promised : 0,
      dirtyBytes: reinit ? 0 : promised,
    }
  }

  /** What an image would hold, were it begun now. @param {number} at */
  increment(at) {
    return this.device.driver === 'mlx5' && !this.#hasGivenUp ? this.#nature.changed(this.#begunAt, at) : 0
  }

  /**
   * The size of the final image, of a device that stopped writing at `suspendedAt`: all of it where pre-copy does not
   * track, or was given up.
   * @param {number} suspendedAt
   */
  finalBytes(suspendedAt) {
    const { driver, stateBytes } = this.device
    const isTracked = driver === 'mlx5' && !this.#hasGivenUp
    return isTracked ? this.#nature.changed(this.#begunAt, suspendedAt) : stateBytes
  }
}
