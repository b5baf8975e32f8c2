// SPDX-License-Identifier: Apache-2.0
// Devices to be moved, the same again before each time.
import { openDevice } from 'vfio-migrate'
import { openBottle } from '../../dist-test/kernel/bottle.js'

/**
 * @typedef {import('../../dist-test/kernel/bottled.js').BottledFunction} BottledFunction
 * @typedef {import('vfio-migrate').Device} Device
 * @typedef {{ from: BottledFunction, to: BottledFunction, source: Device, destination: Device }} BottledPair
 */

const nsPerMs = 1e6

/**
 * Opens pairs of functions, of two physical ones each, and closes them after `use`.
 * @template T
 * @param {number} count
 * @param {import('../../dist-test/kernel/bottle.js').BottleOptions} options
 * @param {(pairs: BottledPair[]) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withPairs(count, options, use) {
  const bottle = await openBottle({ ...options, functions: 2 * count })
  /** @type {BottledPair[]} */
  const pairs = []
  try {
    for (let index = 0; index < count; index++) pairs.push(await openPair(bottle.functions, index))
    return await use(pairs)
  } finally {
    for (const { source, destination } of pairs) await Promise.all([source.close(), destination.close()])
    await bottle[Symbol.asyncDispose]()
  }
}

/** @param {readonly BottledFunction[]} functions @param {number} index @returns {Promise<BottledPair>} */
async function openPair(functions, index) {
  const [from, to] = functions.slice(2 * index)
  if (!from || !to) throw new Error(`the guest has no functions for pair ${index}`)
  // So that both can be compared when it has arrived.
  await to.set({ rate: 0 })
  return { from, to, source: await openDevice(from.address), destination: await openDevice(to.address) }
}

/**
 * Moves fresh devices, asks that their state has arrived, and adds how long the firmware saw them stand: less than
 * whoever moved them says, or that one's clock is wrong.
 * @template How
 * @template {{ downtimeMs: number }} Moved
 * @param {BottledPair[]} pairs
 * @param {(pairs: BottledPair[], how: How) => Promise<Moved>} move
 * @param {How} how
 * @returns {Promise<Moved & { pausedMs: number }>}
 */
export async function moveFresh(pairs, move, how) {
  for (const pair of pairs) await refresh(pair)
  const moved = await move(pairs, how)
  for (const pair of pairs) await checkArrival(pair)
  const paused = await pausedMs(pairs)
  if (paused > moved.downtimeMs)
    throw new Error(`a downtime of ${moved.downtimeMs} ms is told, and the firmware saw ${paused} ms`)
  return { ...moved, pausedMs: paused }
}

/** @param {BottledPair} pair */
async function refresh({ from, to, source, destination }) {
  await source.reset()
  await destination.reset()
  await from.emptyLogs()
  await to.emptyLogs()
}

/** @param {BottledPair} pair */
async function checkArrival({ from, to }) {
  const [left, arrived] = [await from.digest(), await to.digest()]
  if (left.digest !== arrived.digest || left.epoch === 0n)
    throw new Error(`${from.address} had ${left.digest} and ${to.address} has ${arrived.digest}`)
}

/**
 * From the first command that stops a source to the last one that lets a destination run, by the firmware's log: a
 * clock that belongs to neither of those who are measured.
 * @param {BottledPair[]} pairs
 */
async function pausedMs(pairs) {
  const stops = await momentsOf(pairs, async ({ from }) => (await lastOf(from, 'SUSPEND_INITIATOR')).begin)
  const starts = await momentsOf(pairs, async ({ to }) => (await lastOf(to, 'RESUME_INITIATOR')).end)
  return (Math.max(...starts) - Math.min(...stops)) / nsPerMs
}

/** @param {BottledPair[]} pairs @param {(pair: BottledPair) => Promise<bigint>} when @returns {Promise<number[]>} */
async function momentsOf(pairs, when) {
  return (await Promise.all(pairs.map(when))).map(Number)
}

/** @param {BottledFunction} bottled @param {string} name */
async function lastOf(bottled, name) {
  const command = (await bottled.commands()).findLast(one => one.name === name)
  if (!command) throw new Error(`${bottled.address} was not asked for ${name}`)
  return command
}
