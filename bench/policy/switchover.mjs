// SPDX-License-Identifier: Apache-2.0
// The time in which the devices of a set stand, from the first arc that stops one to RUNNING on the other side.
import { shared } from './flow.mjs'
import { headerBytes } from './device.mjs'

/**
 * @typedef {object} Switchover
 * @property {number} downtimeMs
 * @property {number} imageMs the part of it between the arcs: images saved, sent and loaded
 * @property {number} bytes
 */

/**
 * All devices in parallel, with a barrier behind the arc that stops their DMA: each is saved, sent over the link that all
 * share, and loaded.
 * @param {import('./world.mjs').World} world
 * @param {number} at
 * @param {(index: number, suspendedAt: number) => number} bytesOf the final image's
 * @returns {Switchover}
 */
export function switchOver(world, at, bytesOf) {
  const { devices, rttMs } = world.workload
  const suspended = devices.map(({ suspendMs }) => at + world.command(suspendMs))
  const barrier = Math.max(...suspended)
  const images = devices.map((device, index) => {
    const stoppedAt = barrier + world.command(device.suspendMs)
    const begunAt = stoppedAt + world.command(device.queryMs)
    return { device, begunAt, stoppedAt, bytes: bytesOf(index, suspended[index]) + headerBytes }
  })
  const loadedAt =
    images.length === 1 && images[0].device.chunkBytes ? [chunked(world, images[0])] : whole(world, images)
  const heldAt = Math.max(...loadedAt) + rttMs
  const participatedAt = heldAt + world.command(world.workload.participantMs)
  const runningAt = startAll(world, participatedAt)
  const stoppedAt = Math.max(...images.map(image => image.stoppedAt))
  const bytes = images.reduce((sum, image) => sum + image.bytes, 0)
  return { downtimeMs: runningAt - at, imageMs: heldAt - stoppedAt, bytes }
}

/** @param {import('./world.mjs').World} world @param {number} at */
export function startAll(world, at) {
  const { devices } = world.workload
  const responders = Math.max(...devices.map(({ resumeMs }) => at + world.command(resumeMs)))
  return Math.max(...devices.map(({ resumeMs }) => responders + world.command(resumeMs)))
}

/**
 * One record each, loaded when its last byte is there.
 * @param {import('./world.mjs').World} world
 * @param {{ device: import('./workloads.mjs').Device, begunAt: number, bytes: number }[]} images
 */
function whole(world, images) {
  const shipments = images.map(({ device, begunAt, bytes }) => ({
    readyAt: begunAt + world.transfer(device.saveMs, bytes, device.saveBytesPerMs),
    bytes,
  }))
  return shared(world.link, shipments).map((arrivedAt, index) => {
    const { device, bytes } = images[index]
    return arrivedAt + world.transfer(device.loadMs, bytes, device.loadBytesPerMs)
  })
}

/**
 * When all is loaded of a device that moves alone. Records of a chunk each, saved into two buffers in turn:
 * the next but one waits until a buffer was read.
 * @param {import('./world.mjs').World} world
 * @param {{ device: import('./workloads.mjs').Device, begunAt: number, bytes: number }} image
 */
export function chunked(world, { device, begunAt, bytes }) {
  const { chunkBytes = bytes, saveMs, saveBytesPerMs, loadMs, loadBytesPerMs } = device
  /** @type {number[]} */
  const sentAt = []
  let [savedAt, loadedAt] = [begunAt, begunAt]
  for (let left = bytes; left > 0; left -= chunkBytes) {
    const size = Math.min(left, chunkBytes)
    const bufferAt = sentAt.at(-2) ?? begunAt
    savedAt = Math.max(savedAt, bufferAt) + world.transfer(saveMs, size, saveBytesPerMs)
    sentAt.push(world.link.after(Math.max(savedAt, sentAt.at(-1) ?? 0), size))
    loadedAt =
      Math.max(loadedAt, /** @type {number} */ (sentAt.at(-1))) + world.transfer(loadMs, size, loadBytesPerMs)
  }
  return loadedAt
}
