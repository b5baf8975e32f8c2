// SPDX-License-Identifier: Apache-2.0
// The time in which the devices of a set stand, from the first arc that stops one to RUNNING on the other side.
import { shared } from './flow.mjs'
import { headerBytes } from './device.mjs'

/**
 * @typedef {object} Switchover
 * @property {number} downtimeMs
 * @property {number} imageMs the part of it that the bytes of images take: an image of nothing is asked for, saved and loaded too
 * @property {number} bytes
 * @property {boolean} turnedBack the source runs again; downtimeMs is what it stood, and no image was loaded
 *
 * @typedef {{ stopArcsMs: number, announced: ({ bytes: number, atMs: number } | undefined)[] }} Standing
 */

/** Whose first record tells how much there is: that of the other drivers has no header. */
const framed = new Set(['mlx5', 'virtio'])

/**
 * All devices in parallel, with a barrier behind the arc that stops their DMA: each is saved, sent over the link that all
 * share, and loaded.
 * @param {import('./world.mjs').World} world
 * @param {number} at
 * @param {(index: number, suspendedAt: number) => number} bytesOf the final image's
 * @param {(standing: Standing) => boolean} turnsBack asked when a first record is there
 * @returns {Switchover}
 */
export function switchOver(world, at, bytesOf, turnsBack = () => false) {
  const { devices, rttMs } = world.workload
  const suspended = devices.map(({ suspendMs }) => at + world.command(suspendMs))
  const barrier = Math.max(...suspended)
  const images = devices.map((device, index) => {
    const stoppedAt = barrier + world.command(device.suspendMs)
    const begunAt = stoppedAt + world.command(device.queryMs)
    return { device, begunAt, stoppedAt, bytes: bytesOf(index, suspended[index]) + headerBytes }
  })
  const isChunked = images.length === 1 && images[0].device.chunkBytes
  const { records, loadedAt } = isChunked ? inChunks(world, images[0]) : whole(world, images)
  const bytes = images.reduce((sum, image) => sum + image.bytes, 0)
  const backAt = turnsBackAt(images, records, { at, turnsBack })
  if (backAt !== undefined)
    return { downtimeMs: startAll(world, backAt) - at, imageMs: 0, bytes, turnedBack: true }
  const heldAt = Math.max(...loadedAt) + rttMs
  const participatedAt = heldAt + world.command(world.workload.participantMs)
  const runningAt = startAll(world, participatedAt)
  const stoppedAt = Math.max(...images.map(image => image.stoppedAt))
  const emptyMs = Math.max(...devices.map(({ queryMs, saveMs, loadMs }) => queryMs + saveMs + loadMs)) + rttMs
  return { downtimeMs: runningAt - at, imageMs: heldAt - stoppedAt - emptyMs, bytes, turnedBack: false }
}

/**
 * When its devices can be led back, if what their headers tell one after another makes it.
 * @param {Image[]} images
 * @param {Rec[]} records
 * @param {{ at: number, turnsBack: (standing: Standing) => boolean }} options
 */
function turnsBackAt(images, records, { at, turnsBack }) {
  const stopArcsMs = Math.max(...images.map(({ begunAt }) => begunAt)) - at
  /** @type {Standing['announced']} */
  const announced = images.map(() => undefined)
  const inTurn = records.filter(({ index }) => framed.has(images[index].device.driver))
  inTurn.sort((a, b) => a.readAt - b.readAt)
  return inTurn.find(({ index, bytes, readAt }) => {
    announced[index] = { bytes, atMs: announced[index]?.atMs ?? readAt - at }
    return turnsBack({ stopArcsMs, announced })
  })?.busyUntil
}

/** @param {import('./world.mjs').World} world @param {number} at */
export function startAll(world, at) {
  const { devices } = world.workload
  const responders = Math.max(...devices.map(({ resumeMs }) => at + world.command(resumeMs)))
  return Math.max(...devices.map(({ resumeMs }) => responders + world.command(resumeMs)))
}

/**
 * @typedef {{ device: import('./workloads.mjs').Device, begunAt: number, bytes: number }} Image
 * @typedef {object} Rec a record of a final image
 * @property {number} index the device's
 * @property {number} readAt when its header is read
 * @property {number} bytes of the image up to its end
 * @property {number} busyUntil the arc out of STOP_COPY waits for the SAVEs that run
 */

/**
 * One record each, loaded when its last byte is there.
 * @param {import('./world.mjs').World} world
 * @param {Image[]} images
 */
function whole(world, images) {
  const shipments = images.map(({ device, begunAt, bytes }) => ({
    readyAt: begunAt + world.transfer(device.saveMs, bytes, device.saveBytesPerMs),
    bytes,
  }))
  const loadedAt = shared(world.link, shipments).map((arrivedAt, index) => {
    const { device, bytes } = images[index]
    return arrivedAt + world.transfer(device.loadMs, bytes, device.loadBytesPerMs)
  })
  const busyUntil = Math.max(...shipments.map(({ readyAt }) => readyAt))
  const records = shipments.map(({ readyAt, bytes }, index) => ({ index, readAt: readyAt, bytes, busyUntil }))
  return { records, loadedAt }
}

/** The same of a device that moves alone. @param {import('./world.mjs').World} world @param {Image} image */
function inChunks(world, image) {
  /** @type {Rec[]} */
  const records = []
  const loadedAt = chunked(world, image, (size, savedAt, readAt) => {
    const before = records.at(-1)
    if (before) before.busyUntil = Math.max(before.readAt, savedAt)
    records.push({ index: 0, readAt, bytes: (before?.bytes ?? 0) + size, busyUntil: readAt })
  })
  return { records, loadedAt: [loadedAt] }
}

/**
 * When all is loaded of a device that moves alone. Records of a chunk each, saved into two buffers in turn:
 * the next but one waits until a buffer was read.
 * @param {import('./world.mjs').World} world
 * @param {Image} image
 * @param {(bytes: number, savedAt: number, readAt: number) => void} onChunk
 */
export function chunked(world, { device, begunAt, bytes }, onChunk = () => undefined) {
  const { chunkBytes = bytes, saveMs, saveBytesPerMs, loadMs, loadBytesPerMs } = device
  /** @type {number[]} */
  const sentAt = []
  let [savedAt, loadedAt] = [begunAt, begunAt]
  for (let left = bytes; left > 0; left -= chunkBytes) {
    const size = Math.min(left, chunkBytes)
    const bufferAt = sentAt.at(-2) ?? begunAt
    savedAt = Math.max(savedAt, bufferAt) + world.transfer(saveMs, size, saveBytesPerMs)
    onChunk(size, savedAt, Math.max(savedAt, sentAt.at(-1) ?? 0))
    sentAt.push(world.link.after(Math.max(savedAt, sentAt.at(-1) ?? 0), size))
    loadedAt =
      Math.max(loadedAt, /** @type {number} */ (sentAt.at(-1))) + world.transfer(loadMs, size, loadBytesPerMs)
  }
  return loadedAt
}
