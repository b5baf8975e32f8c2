// SPDX-License-Identifier: Apache-2.0
// Runs in the guest: ROUNDS BYTES SUBJECT measures how a bottled mlx5 of so many bytes is saved, and answers the row on
// its standard output.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { openDevice } from 'vfio-migrate'
import { openBottle } from '../../dist-test/kernel/bottle.js'
import { alternate } from '../alternate.mjs'
import { answerOf } from '../answer.mjs'
import { settle } from './judge.mjs'

/** @typedef {import('vfio-migrate').Device} Device */

const { VFIO_MIGRATE_BENCH_SAVE: yardstick = '', VFIO_MIGRATE_BENCH_SAVED: command = '' } = process.env

/**
 * What lies before the state: the record that begins the stream, the header of the one that has the image, and the image's
 * own, with an id that no other image has.
 */
const headerBytes = 24 + 16 + 80

/** @param {Device} device @param {boolean} isSummed */
const byYardstick = (device, isSummed) =>
  answerOf([yardstick, '3', ...(isSummed ? [String(headerBytes)] : [])], { fds: [device.lend().device] })

/** @param {Device} device @param {boolean} isSummed */
async function byCommand(device, isSummed) {
  const sink = isSummed ? 'pipe' : openSync('/dev/null', 'w')
  const child = spawn(process.execPath, [command], {
    stdio: ['ignore', sink, 'inherit', device.lend().device, 'pipe'],
  })
  const [[code], answer, sum] = await Promise.all([
    once(child, 'close'),
    text(/** @type {import('node:stream').Readable} */ (child.stdio[4])),
    child.stdout ? sumOf(child.stdout) : undefined,
  ])
  if (typeof sink === 'number') closeSync(sink)
  if (code !== 0) throw new Error(`save has ended with ${code}`)
  return { ...JSON.parse(answer), crc32: sum }
}

/** @param {import('node:stream').Readable} stream */
async function sumOf(stream) {
  let [sum, bytes] = [0, 0]
  for await (const chunk of stream) {
    sum = crc32(chunk.subarray(Math.max(0, headerBytes - bytes)), sum)
    bytes += chunk.length
  }
  return sum
}

/** @param {Device} device */
async function checkArrival(device) {
  const [ours, theirs] = [await byCommand(device, true), await byYardstick(device, true)]
  if (ours.crc32 !== theirs.crc32 || ours.bytes !== theirs.bytes)
    throw new Error(`save gave ${JSON.stringify(ours)}, the C read loop ${JSON.stringify(theirs)}`)
  return ours.bytes
}

/** @param {Device} device @param {number} rounds @param {number} bytes */
async function measureOnce(device, rounds, bytes) {
  const checked = async (/** @type {Promise<import('./measure.mjs').Result>} */ run) => {
    const result = await run
    if (result.bytes !== bytes) throw new Error(`${result.bytes} bytes were saved, and not ${bytes}`)
    return result
  }
  const read = () => checked(byYardstick(device, false))
  const ours = () => checked(byCommand(device, false))
  return await alternate(rounds, { yardstick: read, ours, again: read }, 1)
}

const [rounds = '', size = '', subject = ''] = process.argv.slice(2)
const bottle = await openBottle({ functions: 1, size: Number(size) })
const device = await openDevice(bottle.functions[0]?.address ?? '')
// From where there is no pre-copy: what is read in STOP_COPY is all there is, and the same every time.
await device.setState('STOP')
const bytes = await checkArrival(device)
const row = await settle(JSON.parse(subject), () => measureOnce(device, Number(rounds), bytes))
await device.close()
await bottle[Symbol.asyncDispose]()
process.stdout.write(`${JSON.stringify(row)}\n`)
