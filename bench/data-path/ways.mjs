// SPDX-License-Identifier: Apache-2.0
// What is measured of ours, and what of Node's it is measured by.
import { once } from 'node:events'
import fs, { closeSync, createReadStream, openSync } from 'node:fs'
import { connect } from 'node:net'
import { lookup } from 'node:dns'
import { text } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { log, openFake, tell, withFake } from './fake_device.mjs'
import { Arrival, measured } from './measure.mjs'

/**
 * @typedef {object} Options
 * @property {string} source the file that is read, or of which the beginning is written
 * @property {string} warmUp a file with which the same is done before, unmeasured
 * @property {string} target the file that is written
 * @property {number} bytes how many are written
 * @property {number} port of a receiver
 * @property {boolean} isSummed
 *
 * @typedef {(options: Options) => Promise<import('./measure.mjs').Result>} Way
 * @typedef {import('vfio-migrate').Device} Device
 */

const mebibyte = 2 ** 20
const mostPieces = 64
const sessions = 32
const calls = 20_000
const lookups = 5_000
/** A file to be read, of some kilobytes. */
const here = new URL(import.meta.url)

/**
 * A file as the session of a saving device: read once to warm up, then measured.
 * @param {(stream: Device['savingStream'], options: Options) => Promise<{ bytes: number, crc32?: number }>} consume
 * @returns {Way}
 */
const saving = consume => options =>
  withFake(async device => {
    await savedBy(device, options.warmUp, stream => consume(stream, options))
    return await savedBy(device, options.source, stream => measured(() => consume(stream, options)))
  })

/**
 * @template T
 * @param {Device} device @param {string} path @param {(stream: Device['savingStream']) => Promise<T>} read
 */
async function savedBy(device, path, read) {
  tell(`file 0 ${path}`)
  await device.setState('STOP_COPY')
  const result = await read(device.savingStream)
  await device.setState('RUNNING')
  return result
}

/** Into /dev/null; where it is summed into a file, which its caller sums. @param {Device['savingStream']} stream @param {Options} options */
async function pump(stream, { isSummed, target }) {
  const sink = openSync(isSummed ? target : '/dev/null', 'w')
  try {
    const { bytes } = await stream.pump(sink)
    return { bytes }
  } finally {
    closeSync(sink)
  }
}

/** @param {AsyncIterable<Buffer>} stream @param {Pick<Options, 'isSummed'>} options */
async function discard(stream, { isSummed }) {
  const arrival = new Arrival(isSummed)
  for await (const chunk of stream) arrival.take(chunk)
  return arrival
}

/** It is over when the receiver has answered what has arrived. @param {Device['savingStream']} stream @param {Options} options */
async function copyToSocket(stream, { port }) {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const answer = text(socket)
  await stream.copyTo(socket)
  socket.end()
  const [bytes, crc32] = (await answer).split(' ').map(Number)
  return { bytes, crc32 }
}

/** @param {number | undefined} highWaterMark @returns {Way} */
const fileStream = highWaterMark => async options => {
  const read = (/** @type {string} */ path) =>
    discard(createReadStream(path, highWaterMark ? { highWaterMark } : {}), options)
  await read(options.warmUp)
  return await measured(() => read(options.source))
}

/** @type {Way} */
const resuming = ({ source, target, warmUp, bytes }) =>
  withFake(async device => {
    const pieces = piecesOf(source)
    const load = async (/** @type {string} */ path, /** @type {number} */ size) => {
      tell(`file 0 ${path}`)
      await device.setState('RESUMING')
      const result = await measured(() => write(device.resumingStream, pieces, size))
      await device.setState('RUNNING')
      return result
    }
    await load('/dev/null', fs.statSync(warmUp).size)
    return await load(target, bytes)
  })

/** @param {string} source */
function piecesOf(source) {
  const fd = openSync(source, 'r')
  const memory = Buffer.alloc(mostPieces * mebibyte)
  const length = fs.readSync(fd, memory)
  closeSync(fd)
  return Array.from({ length: length / mebibyte }, (_, index) =>
    memory.subarray(index * mebibyte, (index + 1) * mebibyte),
  )
}

/** @param {Device['resumingStream']} stream @param {Buffer[]} pieces @param {number} bytes */
async function write(stream, pieces, bytes) {
  for (let index = 0; index < bytes / mebibyte; index++) {
    if (!stream.write(pieces[index % pieces.length])) await once(stream, 'drain')
  }
  stream.end()
  await finished(stream)
  return { bytes: stream.bytesWritten }
}

/** @param {(count: number) => Promise<void>} make @returns {Promise<import('./measure.mjs').Result>} */
async function inSeries(make) {
  await make(calls / 10)
  return await measured(async () => {
    await make(calls)
    return { bytes: calls }
  })
}

/** @type {Way} */
const state = () =>
  withFake(device =>
    inSeries(async count => {
      for (let made = 0; made < count; made++) await device.state()
    }),
  )

/** @type {Way} */
async function fstat({ source }) {
  const fd = openSync(source, 'r')
  return await inSeries(
    count =>
      new Promise((resolve, reject) => {
        let left = count
        const next = (/** @type {Error | null} */ error) => {
          if (error) reject(error)
          else if (left-- > 0) fs.fstat(fd, next)
          else resolve()
        }
        next(null)
      }),
  )
}

/** What others want of Node's thread pool. @returns {Promise<import('./measure.mjs').Result>} */
async function others() {
  const [readFile, find] = [promisify(fs.readFile), promisify(lookup)]
  const make = async (/** @type {number} */ count) => {
    for (let made = 0; made < count; made++) await Promise.all([readFile(here), find('localhost')])
  }
  await make(lookups / 10)
  return await measured(async () => {
    await make(lookups)
    return { bytes: lookups }
  })
}

/** @type {Way} */
async function besideBlocked() {
  const devices = await Promise.all(Array.from({ length: sessions }, (_, index) => blocked(index)))
  const waits = () => new Set(log().filter(line => line.startsWith('poll saving '))).size
  while (waits() < sessions) await turn()
  const result = await others()
  await Promise.all(devices.map(device => device.close()))
  return result
}

/** A device whose SAVE does not end, with a read under way. @param {number} index */
async function blocked(index) {
  const device = await openFake(index)
  tell(`set ${index} autosave 0`)
  await device.setState('STOP_COPY')
  device.savingStream.on('error', () => undefined).resume()
  return device
}

/** @type {Record<string, Way>} */
const ways = {
  pump: saving(pump),
  chunks: saving((stream, options) => discard(stream.chunks(), options)),
  readable: saving(discard),
  'createReadStream 64 KiB': fileStream(undefined),
  'createReadStream 1 MiB': fileStream(mebibyte),
  copyTo: saving(copyToSocket),
  resuming,
  state,
  fstat,
  'beside blocked': besideBlocked,
  alone: others,
}

const [name = '', options = '{}'] = process.argv.slice(2)
process.stdout.write(`${JSON.stringify(await ways[name](JSON.parse(options)))}\n`)
