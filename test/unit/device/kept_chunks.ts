// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { PassThrough, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createGzip, gunzipSync } from 'node:zlib'
import type { Device } from '#lib/device/device.js'

interface Kept {
  readonly chunk: Buffer
  /** CRC-32 when it arrived. */
  readonly sum: number
}

/** Gives on what it gets, and keeps it: not a copy. */
const keeper = (kept: Kept[]): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      kept.push({ chunk, sum: crc32(chunk) })
      done(null, chunk)
    },
  })

const collector = (chunks: Buffer[]): Writable =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })

/** The next chunks, at most `count`, in memory that is used again but for the last. */
async function takeChunks({ savingStream }: Device, count: number): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const chunk of savingStream.chunks({ until: 'idle' })) {
    copies.push(Buffer.from(chunk))
    if (copies.length === count) break
  }
  return Buffer.concat(copies)
}

/**
 * Saves a device that is RUNNING: its first bytes by chunks(), the rest through PassThrough and gzip with every chunk kept;
 * and then begins once more, so that whatever memory is not the consumer's own is read into again. Answers the first save;
 * none of the chunks may have changed.
 */
export async function saveKeepingChunks(device: Device): Promise<Buffer> {
  await device.setState('PRE_COPY')
  const before = await takeChunks(device, 3)
  await device.setState('STOP_COPY')
  const [kept, zipped]: [Kept[], Buffer[]] = [[], []]
  await pipeline(
    device.savingStream,
    keeper(kept),
    new PassThrough(),
    createGzip({ level: 1 }),
    collector(zipped),
  )
  await device.setState('RUNNING')
  await device.setState('STOP_COPY')
  await takeChunks(device, Infinity)
  assert.ok(kept.length > 3, `${kept.length} chunks were kept`)
  for (const { chunk, sum } of kept) assert.equal(crc32(chunk), sum)
  const rest = Buffer.concat(kept.map(({ chunk }) => chunk))
  assert.ok(gunzipSync(Buffer.concat(zipped)).equals(rest), 'what came through gzip is not what was kept')
  return Buffer.concat([before, rest])
}
