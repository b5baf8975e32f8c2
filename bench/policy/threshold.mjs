// SPDX-License-Identifier: Apache-2.0
// The stop rule of QEMU 10.0, for devices alone: no memory of a guest is moved beside them, and the bandwidth is not capped.
// Each iteration reads at most 1 MiB of each device. What is pending is first estimated from what the devices promised last;
// only where that is below the threshold, they are asked: MIG_DATA_SIZE, and precopy info, which begins the next image.
// Below the threshold, and when the destination has loaded all initial bytes, the machine is stopped. The threshold is the
// measured bandwidth times the downtime limit; the bandwidth is what was sent in at least 100 ms, waiting included.
import { headerBytes, Saving } from './device.mjs'
import { chunked, startAll } from './switchover.mjs'

const bufferBytes = 2 ** 20
const windowMs = 100
/** After so long without an end, counted from when all initial bytes were loaded, it is said to have none. */
const patienceMs = 3000
const mostIterations = 200_000

/**
 * @typedef {{ downtimeMs: number, precopyMs: number, movedBytes: number, savedBytes: number }} Stopped
 * @typedef {{ at: number, thresholdBytes: number, estimate: number, exact: number | undefined, loaded: boolean }} Look
 */

/**
 * @param {import('./world.mjs').World} world
 * @param {(look: Look) => void} [onLook] told of every iteration's decision
 * @returns {Stopped | undefined} undefined where the rule never lets the devices stop
 */
export function threshold(world, onLook = () => undefined) {
  return new Threshold(world, onLook).run()
}

class Threshold {
  #world
  #onLook
  #channels
  #now = 0
  #thresholdBytes = 0
  #sentBytes = 0
  #window = { at: 0, sentBytes: 0 }
  /** Until when the destination loads: it takes nothing meanwhile. */
  #busyUntil = 0

  /** @param {import('./world.mjs').World} world @param {(look: Look) => void} onLook */
  constructor(world, onLook) {
    this.#world = world
    this.#onLook = onLook
    this.#channels = world.workload.devices.map((_, index) => new Channel(world, index))
  }

  run() {
    const { linkBytesPerMs, limitMs } = this.#world.workload
    // No window measures more than the link carries at its best.
    if (this.#dataBytes > 1.5 * linkBytesPerMs * limitMs) return undefined
    for (const channel of this.#channels) this.#now = channel.setUp(this.#now)
    this.#window.at = this.#now
    for (let iteration = 0; iteration < mostIterations && !this.#isHopeless; iteration++) {
      if (this.#decide()) return this.#complete()
      this.#iterate()
    }
    return undefined
  }

  get #dataBytes() {
    return this.#world.workload.devices.reduce((sum, { stateBytes }) => sum + stateBytes, 0)
  }

  get #loadedAt() {
    return Math.max(0, ...this.#channels.map(({ acknowledgedAt }) => acknowledgedAt))
  }

  get #isHopeless() {
    return this.#now > this.#loadedAt + patienceMs
  }

  /** True when the devices are to be stopped. */
  #decide() {
    const estimate = this.#channels.reduce((sum, channel) => sum + channel.estimate, 0)
    const at = this.#now
    const isBelow = estimate < this.#thresholdBytes
    if (isBelow) for (const channel of this.#channels) this.#now = channel.ask(this.#now)
    const exact = isBelow ? this.#dataBytes : undefined
    const loaded = this.#loadedAt <= this.#now
    this.#onLook({ at, thresholdBytes: this.#thresholdBytes, estimate, exact, loaded })
    return exact !== undefined && (exact === 0 || exact < this.#thresholdBytes) && loaded
  }

  #iterate() {
    const begun = this.#now
    for (const channel of this.#channels) this.#read(channel)
    if (this.#now === begun) this.#idle()
    if (this.#now >= this.#window.at + windowMs) this.#measure()
  }

  /** It spins where there is nothing to read: until the next thing happens. */
  #idle() {
    const next = this.#window.at + windowMs
    this.#now = this.#loadedAt > this.#now ? Math.min(next, this.#loadedAt) : next
  }

  #measure() {
    const bandwidth = (this.#sentBytes - this.#window.sentBytes) / (this.#now - this.#window.at)
    this.#thresholdBytes = bandwidth * this.#world.workload.limitMs
    this.#window = { at: this.#now, sentBytes: this.#sentBytes }
  }

  /** One read of a blocking data_fd, and its bytes on their way. @param {Channel} channel */
  #read(channel) {
    const { bytes, at, isLast } = channel.read(this.#now)
    this.#now = at
    this.#send(channel, bytes, isLast)
    if (channel.hasSentInitial())
      channel.acknowledgedAt = Math.max(this.#now, this.#busyUntil) + this.#world.workload.rttMs
  }

  /** @param {Channel} channel @param {number} bytes @param {boolean} isLast of an image */
  #send(channel, bytes, isLast) {
    if (bytes === 0) return
    this.#now = this.#world.link.after(Math.max(this.#now, this.#busyUntil), bytes)
    this.#sentBytes += bytes
    if (isLast) this.#busyUntil = this.#now + channel.load()
  }

  /** Devices one after the other, as the handlers of a machine that stops; images in one stream. @returns {Stopped} */
  #complete() {
    const begun = this.#now
    const world = this.#world
    const movedBytes = this.#sentBytes
    const savedBytes = this.#channels.reduce((sum, { saving }) => sum + saving.savedBytes, 0)
    const suspended = this.#channels.map(channel => (this.#now = channel.suspend(this.#now)))
    this.#channels.forEach((channel, index) => (this.#now = channel.stop(this.#now, suspended[index])))
    for (const channel of this.#channels) {
      while (!channel.isEmpty) this.#read(channel)
    }
    const [first] = this.#channels
    const image = first.chunkedImage
    if (image) this.#busyUntil = chunked(world, { ...image, begunAt: Math.max(this.#now, image.begunAt) })
    const heldAt = Math.max(this.#now, this.#busyUntil) + world.workload.rttMs
    const runningAt = startAll(world, heldAt + world.command(world.workload.participantMs))
    return { downtimeMs: runningAt - begun, precopyMs: begun, movedBytes, savedBytes }
  }
}

/** A device as it is read in QEMU, with the two numbers that QEMU keeps of it. */
class Channel {
  #world
  /** @type {(import('./device.mjs').Image & { left: number })[]} */
  #queue = []
  #initialBytes = 0
  #dirtyBytes = 0
  #isInitialLeft = false
  #loading = 0
  /** @type {{ device: import('./workloads.mjs').Device, begunAt: number, bytes: number } | undefined} */
  chunkedImage
  /** When the source knows that the initial bytes are loaded. */
  acknowledgedAt = Infinity

  /** @param {import('./world.mjs').World} world @param {number} index */
  constructor(world, index) {
    this.#world = world
    this.saving = new Saving(world, index, 0)
    if (this.#device.driver === 'none') this.acknowledgedAt = 0
    else this.#isInitialLeft = true
  }

  get #device() {
    return this.saving.device
  }

  get estimate() {
    return this.#initialBytes + this.#dirtyBytes
  }

  get isEmpty() {
    return this.#queue.length === 0
  }

  /** Precopy info is asked once when it is set up. @param {number} at @returns {number} */
  setUp(at) {
    return this.#device.driver === 'none' ? at : this.ask(Math.max(at, this.saving.enteredAt))
  }

  /** What is promised begins an image only where everything was read. @param {number} at @returns {number} */
  ask(at) {
    if (this.#device.driver === 'none') return at
    if (this.isEmpty) return this.#askDrained(at)
    const answeredAt = Math.max(at, this.saving.savedAt) + this.#world.command(this.#device.queryMs)
    const unread = this.#queue.reduce((sum, { left }) => sum + left, 0)
    this.#initialBytes = this.#isInitialLeft ? unread : 0
    this.#dirtyBytes = this.#isInitialLeft ? 0 : unread + this.saving.increment(answeredAt)
    return answeredAt
  }

  /** QEMU 10.0 does not opt into hearing that a device begins anew. @param {number} at */
  #askDrained(at) {
    const { answeredAt, initialBytes, dirtyBytes, image, reinit } = this.saving.ask(at)
    this.#initialBytes = reinit ? 0 : initialBytes
    this.#dirtyBytes = reinit ? initialBytes : dirtyBytes
    if (image) this.#queue.push({ ...image, left: image.bytes })
    return answeredAt
  }

  /** Waits for the SAVE of the image that is to be read. @param {number} now */
  read(now) {
    const image = this.#queue[0]
    if (!image) {
      this.#initialBytes = this.#dirtyBytes = 0
      return { bytes: 0, at: now, isLast: false }
    }
    const bytes = Math.min(image.left, bufferBytes)
    image.left -= bytes
    const isLast = image.left === 0
    if (isLast) {
      this.#queue.shift()
      this.#loading = image.bytes
    }
    const fromInitial = Math.min(bytes, this.#initialBytes)
    this.#initialBytes -= fromInitial
    this.#dirtyBytes = Math.max(0, this.#dirtyBytes - (bytes - fromInitial))
    return { bytes, at: Math.max(now, image.savedAt), isLast }
  }

  /** True once, when it has no initial bytes any more. */
  hasSentInitial() {
    if (!this.#isInitialLeft || this.#initialBytes > 0) return false
    this.#isInitialLeft = false
    return true
  }

  /** How long the image that has arrived takes to be loaded. */
  load() {
    const { loadMs, loadBytesPerMs } = this.#device
    return this.#world.transfer(loadMs, this.#loading, loadBytesPerMs)
  }

  /** Stops its DMA when no SAVE runs. @param {number} at @returns {number} */
  suspend(at) {
    return Math.max(at, this.saving.savedAt) + this.#world.command(this.#device.suspendMs)
  }

  /** Begins the final image. @param {number} at @param {number} suspendedAt @returns {number} */
  stop(at, suspendedAt) {
    const { suspendMs, queryMs, saveMs, saveBytesPerMs } = this.#device
    const stoppedAt = at + this.#world.command(suspendMs) + this.#world.command(queryMs)
    const bytes = this.saving.finalBytes(suspendedAt) + headerBytes
    if (this.#device.chunkBytes) this.chunkedImage = { device: this.#device, begunAt: stoppedAt, bytes }
    if (this.chunkedImage) return stoppedAt
    const savedAt = stoppedAt + this.#world.transfer(saveMs, bytes, saveBytesPerMs)
    this.#queue.push({ savedAt, bytes, left: bytes })
    return stoppedAt
  }
}
