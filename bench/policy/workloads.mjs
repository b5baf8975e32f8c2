// SPDX-License-Identifier: Apache-2.0
// Devices, what they do, and the link between two hosts: drawn from a wide field, none of it from a real machine.
import { Dice } from './random.mjs'

/**
 * @typedef {'mlx5' | 'virtio' | 'setup' | 'none'} Driver
 * @typedef {object} Device bytes and ms
 * @property {Driver} driver
 * @property {number} stateBytes
 * @property {number} dirtyBytesPerMs on average
 * @property {number} workingSetBytes
 * @property {boolean} inTurn the pages are written in turn, and not at random
 * @property {{ ratio: number, meanMs: number } | undefined} phases the rate is `ratio` times as high in every second one
 * @property {{ meanMs: number, burst: number, gapMs: number } | undefined} reinit it begins anew `burst` times, with `gapMs`
 *   between them, and again after `meanMs`; all on average but the first
 * @property {number | undefined} failsAtSave the SAVE of this number fails, and the driver gives pre-copy up
 * @property {number | undefined} chunkBytes
 * @property {number} saveBytesPerMs
 * @property {number} loadBytesPerMs
 * @property {number} saveMs
 * @property {number} loadMs
 * @property {number} queryMs
 * @property {number} suspendMs each of two commands
 * @property {number} resumeMs likewise
 * @typedef {object} Workload
 * @property {number} id
 * @property {Device[]} devices
 * @property {number} linkBytesPerMs
 * @property {number} dirtyOfLink how much of the link all devices together dirty
 * @property {number} rttMs
 * @property {number} participantMs
 * @property {number} limitMs
 */

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB
/** Bytes a ms of a link of 1 Gb/s. */
const gigabit = 125_000
const header = 16

/** @param {number} family another one has other workloads @param {number} count @returns {Workload[]} */
export function workloads(family, count) {
  return Array.from({ length: count }, (_, id) => workload(new Dice(family * 1_000_003 + id), id))
}

/** @param {Dice} dice @param {number} id @returns {Workload} */
function workload(dice, id) {
  const linkBytesPerMs = dice.magnitude(1, 100) * gigabit
  const driver = driverOf(dice.uniform())
  const dirtyOfLink = driver === 'mlx5' ? dirtyShare(dice) : 0
  const count = dice.chance(0.2) ? 2 + Math.floor(dice.uniform(0, 3)) : 1
  const isChunked = driver === 'mlx5' && count === 1 && dice.chance(0.12)
  const drawn = { driver, linkBytesPerMs, dirtyBytesPerMs: (dirtyOfLink * linkBytesPerMs) / count, isChunked }
  return {
    id,
    devices: Array.from({ length: count }, () => device(dice, drawn)),
    linkBytesPerMs,
    dirtyOfLink,
    rttMs: dice.magnitude(0.05, 2),
    participantMs: dice.uniform(0, 10),
    limitMs: 300,
  }
}

/** @param {number} lot @returns {Driver} */
function driverOf(lot) {
  if (lot < 0.8) return 'mlx5'
  if (lot < 0.88) return 'virtio'
  return lot < 0.94 ? 'setup' : 'none'
}

/** A device that stands idle, one that does little, and one that does anything up to 120 % of the link. @param {Dice} dice */
function dirtyShare(dice) {
  const kind = dice.uniform()
  if (kind < 0.1) return 0
  return kind < 0.5 ? dice.magnitude(0.001, 1.2) : dice.uniform(0, 1.2)
}

/** @type {Record<Driver, (dice: Dice) => number>} */
const stateBytes = {
  mlx5: dice => dice.magnitude(MiB, 4 * GiB - MiB),
  virtio: dice => dice.magnitude(MiB, GiB),
  setup: dice => dice.of([96, 176, 4 * KiB]),
  none: dice => (dice.chance(0.5) ? 64 * KiB : dice.magnitude(MiB, 4 * GiB)),
}

/** What its commands take, of which none says how many bytes it is for: one firmware in four is slow at all of them. @param {Dice} dice */
function commands(dice) {
  const pace = dice.chance(0.25) ? dice.magnitude(20, 100) : dice.magnitude(0.1, 20)
  const suspendMs = pace * dice.magnitude(0.5, 2)
  return {
    saveMs: pace * dice.magnitude(0.5, 2),
    loadMs: pace * dice.magnitude(0.5, 2),
    queryMs: pace * dice.magnitude(0.05, 0.5),
    suspendMs,
    resumeMs: suspendMs * dice.uniform(0.7, 1.4),
  }
}

/**
 * @param {Dice} dice
 * @param {{ driver: Driver, linkBytesPerMs: number, dirtyBytesPerMs: number, isChunked: boolean }} drawn
 * @returns {Device}
 */
function device(dice, { driver, linkBytesPerMs, dirtyBytesPerMs, isChunked }) {
  const size = Math.round(stateBytes[driver](dice))
  const isBusy = driver === 'mlx5'
  return {
    driver,
    stateBytes: size,
    dirtyBytesPerMs,
    workingSetBytes: dice.chance(0.4) ? size : size * dice.magnitude(0.02, 1),
    inTurn: dice.chance(0.5),
    phases: isBusy && dice.chance(0.3) ? phases(dice, dirtyBytesPerMs / linkBytesPerMs) : undefined,
    reinit: isBusy && dice.chance(0.1) ? reinits(dice) : undefined,
    failsAtSave: isBusy && dice.chance(0.04) ? dice.of([1, 2, 3, 4]) : undefined,
    chunkBytes: isChunked && size > 8 * MiB + header ? 8 * MiB : undefined,
    saveBytesPerMs: linkBytesPerMs * dice.magnitude(0.5, 5),
    loadBytesPerMs: linkBytesPerMs * dice.magnitude(0.3, 4),
    ...commands(dice),
  }
}

/** @param {Dice} dice */
function reinits(dice) {
  return {
    meanMs: dice.magnitude(2000, 30_000),
    burst: dice.of([1, 2, 3, 5]),
    gapMs: dice.magnitude(20, 500),
  }
}

/** Neither phase is above 120 % of the link. @param {Dice} dice @param {number} share */
function phases(dice, share) {
  const most = share > 0 ? 1.2 / share : 1
  // With a mean of 1 the higher rate is 2 * ratio / (1 + ratio) of it: below 2 in any case.
  const ratio = dice.magnitude(1.5, 20)
  return (2 * ratio) / (1 + ratio) <= most ? { ratio, meanMs: dice.magnitude(500, 10_000) } : undefined
}
