// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import type { SessionCalls } from '#lib/backend/seam.js'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import { E, RESUMING, STOP_COPY, buffersAre, enter, open, scenario } from './scenario.js'
import { streamBytes } from './stream_pattern.js'
import { hash, taken } from './taken.js'

const mebibyte = 1 << 20
/** Record 0 and the header of the image: what comes behind them follows a rule. */
const headers = 24 + 16
/** How many mappings a session keeps for its next reads. */
const kept = 8
/** How many pieces of writes are in the lane at once. */
const inLane = 4

type Reader = SessionCalls &
  Required<Pick<SessionCalls, 'release' | 'isLent' | 'readBehind' | 'summarize' | 'digest'>>

/** A session with an image of `mebibytes` to be read. */
async function saving(mebibytes: number): Promise<Reader> {
  const device = await open(1)
  kernel.set(1, { image: mebibytes * mebibyte })
  return (await enter(device, STOP_COPY)) as Reader
}

const read = async (session: SessionCalls): Promise<Uint8Array> => (await session.read(mebibyte, 0)).data

/** What the fake kernel gives out from `at` on. */
const pattern = (at: number, length = mebibyte): Buffer => streamBytes(at, length)

function assertIsImage(chunk: Uint8Array, index: number): void {
  const from = index === 0 ? headers : 0
  assert.ok(pattern(index * mebibyte + from, mebibyte - from).equals(chunk.subarray(from)), `chunk ${index}`)
}

describe('memory that a read has lent', () => {
  beforeEach(() => buffersAre(0))
  afterEach(() => buffersAre(0))

  scenario('keeps its bytes whatever is read after it', async () => {
    const session = await saving(4)
    const chunks = [await read(session), await read(session), await read(session)]
    chunks.forEach(assertIsImage)
    assert.equal(addon.census().buffers, 3)
  })

  scenario('is not what a read answers that wants memory of its own', async () => {
    const session = await saving(4)
    const answers = [await session.read(mebibyte, 0, true), await session.read(mebibyte, 0, true)]
    answers.forEach(({ data, lent }, index) => {
      assertIsImage(data, index)
      session.release(data)
      assert.deepEqual([data.length, lent], [mebibyte, undefined])
    })
    assert.equal(addon.census().buffers, 1)
    const { lent } = await session.read(mebibyte, 0)
    assert.equal(lent, true)
    assert.throws(() => session.read(mebibyte, 0, 1 as never), TypeError)
  })

  scenario('serves the next read when it is released, and shows nothing any more', async () => {
    const session = await saving(4)
    for (let index = 0; index < 4; index++) {
      const chunk = await read(session)
      assertIsImage(chunk, index)
      assert.deepEqual([session.isLent(chunk), session.release(chunk)], [true, true])
      assert.deepEqual([chunk.length, chunk.buffer.byteLength], [0, 0])
      assert.deepEqual([session.isLent(chunk), session.release(chunk)], [false, false])
      assert.equal(addon.census().buffers, 1)
    }
  })

  scenario('is a part of the buffer where the read was short, and comes back as a whole', async () => {
    const session = await saving(2)
    const { data } = await session.read(mebibyte / 2, 0)
    assert.deepEqual([data.length, data.buffer.byteLength], [mebibyte / 2, mebibyte / 2])
    session.release(data)
    assertIsImage(Buffer.concat([pattern(0, mebibyte / 2), await read(session)]).subarray(0, mebibyte), 0)
    assert.equal(addon.census().buffers, 1)
  })

  scenario('stays with whoever has a view of it: only the whole is released', async () => {
    const session = await saving(2)
    const chunk = await read(session)
    for (const view of [chunk.subarray(1), chunk.subarray(0, 100)])
      assert.deepEqual([session.isLent(view), session.release(view)], [true, false])
    assertIsImage(chunk, 0)
  })

  scenario('is known to every session, which may take it back for the one that it is of', async () => {
    const session = await saving(4)
    const destination = (await enter(await open(0), RESUMING)) as Reader
    const chunk = await read(session)
    assert.deepEqual([destination.isLent(chunk), destination.isLent(chunk.subarray(5, 9))], [true, true])
    assert.deepEqual([destination.release(chunk.subarray(1)), destination.release(chunk)], [false, true])
    assert.deepEqual([chunk.length, session.isLent(chunk), addon.census().buffers], [0, false, 1])
    assertIsImage(await read(session), 1)
    assert.equal(addon.census().buffers, 1)
  })

  scenario('comes back when it is collected', async () => {
    const session = await saving(2)
    const use = async (): Promise<void> => assertIsImage(await read(session), 0)
    await use()
    await session.close()
    assert.equal(addon.census().buffers, 1)
    await buffersAre(0)
  })

  scenario('outlives its session and its device, and is kept by nobody after that', async () => {
    const session = await saving(4)
    const chunks = [await read(session), await read(session)]
    const [first = new Uint8Array()] = chunks
    session.release(await read(session))
    assert.equal(addon.census().buffers, 3)
    await session.close()
    assert.equal(addon.census().buffers, 2)
    chunks.forEach(assertIsImage)
    session.release(first)
    assert.equal(addon.census().buffers, 1)
  })

  scenario('is not waited for: a read takes more, of which no more than a few are kept', async () => {
    const count = kept + 3
    const session = await saving(count + 1)
    const chunks: Uint8Array[] = []
    for (let index = 0; index < count; index++) chunks.push(await read(session))
    chunks.forEach(assertIsImage)
    assert.equal(addon.census().buffers, count)
    for (const chunk of chunks) session.release(chunk)
    assert.equal(addon.census().buffers, kept)
  })

  scenario('is no concern of a release of anything else', async () => {
    const session = await saving(2)
    const chunk = await read(session)
    const others = [new Uint8Array(mebibyte), new Uint8Array(0), (await session.read(1000, 0)).data]
    for (const other of others)
      assert.deepEqual([session.isLent(other), session.release(other)], [false, false])
    assert.deepEqual(
      others.map(({ length }) => length),
      [mebibyte, 0, 1000],
    )
    assertIsImage(chunk, 0)
    assert.throws(() => session.release('chunk' as never), TypeError)
    assert.throws(() => session.isLent('chunk' as never), TypeError)
  })
})

describe('a write of memory that a read has lent', () => {
  afterEach(() => buffersAre(0))

  scenario('takes it from where it is', async () => {
    const source = await saving(2)
    const chunk = await read(source)
    const destination = await enter(await open(0), RESUMING)
    kernel.hold(0, 'write')
    const writing = destination.write(chunk)
    kernel.waitFor('held write')
    assert.equal(addon.census().buffers, 1)
    kernel.release('write')
    assert.equal(await writing, mebibyte)
    assert.deepEqual(taken(), [mebibyte, hash(chunk)])
  })

  scenario('takes a view of it for what it shows', async () => {
    const chunk = await read(await saving(2))
    const destination = await enter(await open(0), RESUMING)
    const view = chunk.subarray(1000, 500_000)
    assert.equal(await destination.write(view), view.length)
    assert.deepEqual(taken(), [view.length, hash(view)])
    assert.equal(addon.census().buffers, 1)
  })

  scenario('copies it where it is not all in one buffer: memory of V8', async () => {
    const chunk = Buffer.from(await read(await saving(2)))
    const destination = await enter(await open(0), RESUMING)
    assert.equal(await destination.write(chunk), mebibyte)
    assert.deepEqual(taken(), [mebibyte, hash(chunk)])
  })

  scenario('keeps it from the next read when it is released before it is written', async () => {
    const source = await saving(4)
    const chunk = await read(source)
    const expected = hash(chunk)
    const destination = await enter(await open(0), RESUMING)
    kernel.hold(0, 'write')
    const writing = destination.write(chunk)
    kernel.waitFor('held write')
    source.release(chunk)
    assert.equal(chunk.length, 0)
    assertIsImage(await read(source), 1)
    kernel.release('write')
    assert.equal(await writing, mebibyte)
    assert.deepEqual(taken(), [mebibyte, expected])
  })

  scenario('is the last one when it is released before its turn', async () => {
    const source = await saving(4)
    const chunk = await read(source)
    const destination = await enter(await open(0), RESUMING)
    kernel.hold(0, 'write')
    const before = Array.from({ length: inLane }, () => destination.write(new Uint8Array(10)))
    const writes = [...before, destination.write(chunk)]
    kernel.waitFor('held write')
    source.release(chunk)
    kernel.release('write')
    assert.deepEqual(await Promise.all(writes), [10, 10, 10, 10, -E.EFAULT])
    assert.equal(await destination.write(new Uint8Array(1)), -E.ENODEV)
  })
})

describe('the sum of a session', () => {
  const hexadecimal = (sum: number): string => `crc32:${sum.toString(16).padStart(8, '0')}`

  scenario('is the CRC-32 of all that was read, lent or copied, whatever became of it', async () => {
    const session = await saving(12)
    session.summarize()
    assert.equal(session.digest(), 'crc32:00000000')
    let expected = 0
    for (const bytes of [1, 100, mebibyte, 17, 4095, mebibyte, 300_001]) {
      const { data } = await session.read(bytes, 0)
      assert.equal(data.length, bytes)
      expected = crc32(data, expected)
      assert.equal(session.digest(), hexadecimal(expected))
      session.release(data)
    }
  })

  scenario('is the CRC-32 of what the kernel has taken, in whatever pieces and from wherever', async () => {
    const lent = await read(await saving(2))
    const session = await enter(await open(0), RESUMING)
    session.summarize?.()
    assert.equal(session.digest?.(), 'crc32:00000000')
    for (let nth = 1; nth <= 3; nth++) kernel.rule(0, 'write', 'cut', 77 * nth, nth)
    const parts = [lent, lent.subarray(3, 70_000), pattern(5, 2 * mebibyte + 9), pattern(0, 1), pattern(0, 0)]
    for (const part of parts) assert.equal(await session.write(part), part.length)
    assert.equal(session.digest(), hexadecimal(crc32(Buffer.concat(parts))))
  })

  scenario('is none where nobody asked for it', async () => {
    const session = await saving(1)
    await session.read(100, 0)
    assert.equal(session.digest(), 'crc32:00000000')
  })

  scenario('has none of what was not taken', async () => {
    const session = await enter(await open(0), RESUMING)
    session.summarize?.()
    kernel.rule(0, 'write', 'cut', 10, 1)
    kernel.rule(0, 'write', 'fail', E.EIO, 2)
    const data = pattern(0, 100)
    assert.equal(await session.write(data), -E.EIO)
    assert.equal(await session.write(data), -E.ENODEV)
    assert.equal(session.digest?.(), hexadecimal(crc32(data.subarray(0, 10))))
  })
})
