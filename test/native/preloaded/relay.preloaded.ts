// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { fletcher128 } from '../../fletcher128.js'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import { E, RESUMING, STOP_COPY, buffersAre, enter, open, scenario } from './scenario.js'
import { hash, taken } from './taken.js'

const mebibyte = 1 << 20
/** The addon's own: what is on its way at once. */
const pieceBytes = mebibyte / 4

type Source = SessionCalls & Required<Pick<SessionCalls, 'release' | 'readBehind' | 'summarize' | 'relayTo'>>
type Destination = SessionCalls & Required<Pick<SessionCalls, 'summarize' | 'digest' | 'relayed'>>

/** A session with so many bytes to be read behind the image's headers, and one that they go to. */
async function pair(imageBytes: number): Promise<{ source: Source; destination: Destination }> {
  const [from, to] = [await open(1), await open(0)]
  kernel.set(1, { image: imageBytes })
  const destination = (await enter(to, RESUMING)) as Destination
  const source = (await enter(from, STOP_COPY)) as Source
  return { source, destination }
}

const writeLengths = (): number[] => kernel.lines('write 0').map(line => Number(line.split(' ').at(-1)))

describe('a relay', () => {
  afterEach(() => buffersAre(0))

  scenario('writes what is read, in its order, before anybody hears of it', async () => {
    const { source, destination } = await pair(3 * mebibyte)
    assert.equal(source.relayTo(destination), 0)
    const parts: Buffer[] = []
    for (let result = 1; result > 0;) {
      const answer = await source.read(2 * mebibyte, 0)
      ;({ result } = answer)
      parts.push(Buffer.from(answer.data))
      source.release(answer.data)
    }
    const all = Buffer.concat(parts)
    assert.ok(all.length > 3 * mebibyte)
    assert.equal(await destination.relayed(all.length), all.length)
    assert.deepEqual(taken(), [all.length, hash(all)])
  })

  scenario('has the other lane write while the rest is read', async () => {
    const { source, destination } = await pair(4 * mebibyte)
    source.relayTo(destination)
    kernel.rule(1, 'read', 'hold', 0, 3)
    const reading = source.read(2 * mebibyte, 0)
    kernel.waitFor('held read')
    assert.equal(await destination.relayed(2 * pieceBytes), 2 * pieceBytes)
    assert.deepEqual(taken()[0], 2 * pieceBytes)
    kernel.release('read')
    assert.equal((await reading).result, 2 * mebibyte)
    assert.equal(await destination.relayed(2 * mebibyte), 2 * mebibyte)
  })

  scenario('ends a read where the device has nothing now, and finds that out again', async () => {
    const { source, destination } = await pair(pieceBytes)
    source.relayTo(destination)
    const first = await source.read(2 * mebibyte, 0)
    const second = await source.read(2 * mebibyte, 0)
    assert.ok(first.result > pieceBytes)
    assert.deepEqual([second.result, second.data.length], [0, 0])
    assert.equal(await destination.relayed(first.result), first.result)
  })

  scenario('keeps a failure behind bytes for the next read, without asking the device again', async () => {
    const { source, destination } = await pair(4 * mebibyte)
    source.relayTo(destination)
    kernel.rule(1, 'read', 'fail', E.EIO, 3)
    const [first, behind] = await Promise.all([source.read(2 * mebibyte, 0), source.readBehind(mebibyte)])
    assert.deepEqual([first.result, behind.result], [2 * pieceBytes, -E.EIO])
    assert.equal(kernel.lines('read 1').length, 3)
    assert.equal(await destination.relayed(2 * pieceBytes), 2 * pieceBytes)
  })

  scenario('holds no buffer for a few bytes', async () => {
    const { source, destination } = await pair(mebibyte)
    source.relayTo(destination)
    kernel.hold(0, 'write')
    const parts: Buffer[] = []
    for (let i = 0; i < 10; i++) parts.push(Buffer.from((await source.read(1000, 0)).data))
    kernel.waitFor('held write')
    assert.equal(addon.census().buffers, 1)
    kernel.release('write')
    assert.equal(await destination.relayed(10_000), 10_000)
    assert.deepEqual(taken(), [10_000, hash(Buffer.concat(parts))])
  })

  scenario('sums on both sides all bytes, each for itself, whatever the pieces', async () => {
    const { source, destination } = await pair(3 * mebibyte)
    source.summarize()
    destination.summarize()
    source.relayTo(destination)
    const parts: Buffer[] = []
    for (const bytes of [1, 7, 13, 2 * mebibyte, 8, 300_001, 2 * mebibyte]) {
      const { data } = await source.read(bytes, 0)
      parts.push(Buffer.from(data))
      source.release(data)
      const all = Buffer.concat(parts)
      assert.equal(await destination.relayed(all.length), all.length)
      const expected = fletcher128(all)
      assert.deepEqual([source.digest?.(), destination.digest()], [expected, expected])
    }
    assert.ok(Buffer.concat(parts).length > 3 * mebibyte)
  })

  scenario('has in the sum of the destination only what the device has taken', async () => {
    const { source, destination } = await pair(2 * mebibyte)
    destination.summarize()
    source.relayTo(destination)
    kernel.rule(0, 'write', 'cut', 1001, 2)
    kernel.rule(0, 'write', 'fail', E.EIO, 3)
    const { data, result } = await source.read(mebibyte, 0)
    assert.equal(await destination.relayed(result), -E.EIO)
    assert.equal(destination.digest(), fletcher128(data.subarray(0, pieceBytes + 1001)))
  })

  scenario(
    'answers the failure of a write to whoever asks for its bytes, and writes nothing after it',
    async () => {
      const { source, destination } = await pair(4 * mebibyte)
      source.relayTo(destination)
      kernel.rule(0, 'write', 'fail', E.EIO, 3)
      const { result } = await source.read(2 * mebibyte, 0)
      await source.read(mebibyte, 0)
      assert.equal(await destination.relayed(2 * pieceBytes), 2 * pieceBytes)
      assert.equal(await destination.relayed(result), -E.EIO)
      assert.equal(await destination.relayed(result + mebibyte), -E.EIO)
      assert.equal(await destination.write(new Uint8Array(1)), -E.ENODEV)
      assert.equal(writeLengths().length, 3)
    },
  )

  scenario('goes nowhere where the other session has ended, and the reads go on', async () => {
    const { source, destination } = await pair(4 * mebibyte)
    source.relayTo(destination)
    await destination.close()
    assert.equal((await source.read(2 * mebibyte, 0)).result, 2 * mebibyte)
    assert.equal(await destination.relayed(2 * mebibyte), -E.EBADF)
    assert.deepEqual(writeLengths(), [])
  })

  scenario(
    'is over with the session that is written: what waits is dropped, and its memory given back',
    async () => {
      const { source, destination } = await pair(4 * mebibyte)
      source.relayTo(destination)
      kernel.hold(0, 'write')
      const reading = source.read(2 * mebibyte, 0)
      kernel.waitFor('held write')
      source.release((await reading).data)
      const [asked, closed] = [destination.relayed(2 * mebibyte), destination.close()]
      kernel.release('write')
      assert.equal(await asked, -E.ECANCELED)
      await closed
      await source.close()
    },
  )

  scenario('is made before the first read, and between two sessions of the addon', async () => {
    const { source, destination } = await pair(mebibyte)
    assert.equal(source.relayTo(source), -E.EINVAL)
    assert.equal(source.relayTo({} as SessionCalls), -E.EINVAL)
    assert.throws(() => source.relayTo(undefined as never), TypeError)
    await source.read(100, 0)
    assert.equal(source.relayTo(destination), -E.EINVAL)
    await source.read(100, 0)
    assert.deepEqual(writeLengths(), [])
    assert.throws(() => destination.relayed(-1), TypeError)
  })
})
