// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { MockOptions } from 'vfio-migrate/mock'
import { hold, said, type Hand } from './hand.js'

const IN = 0x41
const IN_AND_HUNG_UP = 0x2041
/** Of 16 KiB: 80 bytes of header and 4 pages. */
const imageBytes = 80 + 16384

/** A session in some state whose queue is empty, and who lets go what holds it there. */
interface Row {
  readonly session: string
  readonly read: number | string
  readonly poll: number
  readonly prepare: (kernel: '6.12' | '7.2') => Promise<Hand>
}

async function entered(options: MockOptions, ...faults: NonNullable<MockOptions['faults']>): Promise<Hand> {
  const hand = hold({ ...options, faults })
  assert.equal(await hand.answer('PRE_COPY'), 0)
  return hand
}

const rows: readonly Row[] = [
  {
    session: 'initial, its SAVE running',
    read: 'blocks',
    poll: 0,
    async prepare(kernel) {
      const hand = await entered({ kernel }, { on: 'SAVE', hold: true })
      assert.equal(await hand.read(), 24)
      return hand
    },
  },
  {
    session: 'PRE_COPY, a SAVE running',
    read: 'ENOMSG',
    poll: 0,
    async prepare(kernel) {
      const hand = await entered({ kernel }, { on: 'SAVE', nth: 2, hold: true })
      await hand.drain()
      hand.mock.step()
      await hand.info()
      return hand
    },
  },
  {
    session: 'PRE_COPY, idle',
    read: 'ENOMSG',
    poll: 0,
    async prepare(kernel) {
      const hand = await entered({ kernel })
      await hand.drain()
      return hand
    },
  },
  {
    session: 'PRE_COPY_ERROR',
    read: 'ENOMSG',
    poll: 0,
    async prepare(kernel) {
      const hand = await entered({ kernel }, { on: 'SAVE', status: 9 })
      assert.equal(await hand.read(), 24)
      return hand
    },
  },
  {
    session: 'SAVE_STOP_COPY_CHUNK',
    read: 'blocks',
    poll: 0,
    async prepare(kernel) {
      const hand = await entered({ kernel }, { on: 'SAVE', nth: 2, hold: true })
      await hand.drain()
      assert.equal(await hand.answer('STOP_COPY'), 0)
      return hand
    },
  },
  {
    session: 'COMPLETE',
    read: 0,
    poll: IN,
    async prepare(kernel) {
      const hand = await entered({ kernel })
      assert.equal(await hand.answer('STOP_COPY'), 0)
      await hand.drain()
      return hand
    },
  },
  {
    session: 'ERROR',
    read: 'ENODEV',
    poll: IN_AND_HUNG_UP,
    async prepare(kernel) {
      const hand = await entered({ kernel }, { on: 'SAVE', status: 1 })
      await hand.backend.calls.getState()
      return hand
    },
  },
]

/** Whether a read is still waiting when other calls have been made and answered. */
async function blocks(hand: Hand, read: Promise<unknown>): Promise<boolean> {
  let isAnswered = false
  void read.finally(() => (isAnswered = true))
  for (let k = 0; k < 5; k++) await hand.backend.calls.migrationFlags()
  return !isAnswered
}

for (const kernel of ['6.12', '7.2'] as const) {
  describe(`an mlx5 saving session with nothing to read, as Linux ${kernel} has it`, () => {
    for (const { session, read, poll, prepare } of rows) {
      it(`${session}: a read ${read === 'blocks' ? 'waits' : `answers ${read}`}, poll 0x${poll.toString(16)}`, async () => {
        const hand = await prepare(kernel)
        assert.equal(hand.mock.poll(), poll)
        if (read !== 'blocks') {
          assert.equal(await hand.read(), read)
          return
        }
        const reading = hand.read()
        assert.ok(await blocks(hand, reading))
        hand.mock.releaseHeld()
        assert.ok(Number(await reading) > 0, String(await reading))
      })
    }
  })
}

describe('an mlx5 saving session with something to read', () => {
  it('gives record 0 before its first SAVE is done, and says IN', async () => {
    const hand = await entered({}, { on: 'SAVE', hold: true })
    assert.equal(hand.mock.poll(), IN)
    const { data } = await hand.session.read(1000, 0)
    // (80 + 16384) * 11 / 10 in pages: 5, of 20480 bytes.
    assert.equal(
      Buffer.from(data).toString('hex'),
      '0800000000000000' + '01000000' + '01000000' + '0050000000000000',
    )
    hand.mock.releaseHeld()
  })

  it('gives nothing of it any more in ERROR', async () => {
    const hand = await entered({}, { on: 'SAVE', nth: 2, status: 1 })
    await hand.answer('STOP_COPY')
    assert.equal(hand.mock.poll(), IN_AND_HUNG_UP)
    assert.equal(await hand.read(), 'ENODEV')
  })

  it('fills a read across the ends of records, and a short one says that the queue is drained', async () => {
    const hand = await entered({})
    assert.equal(await hand.read(100), 100)
    assert.equal(await hand.read(), 24 + 16 + imageBytes - 100)
    assert.equal(await hand.read(), 'ENOMSG')
  })

  it('gives an image behind its header, in pieces of any size', async () => {
    const one = await entered({})
    const whole = await one.drain()
    assert.equal(whole.length, 24 + 16 + imageBytes)
    assert.equal(whole.readBigUInt64LE(24), BigInt(imageBytes))
    assert.deepEqual([whole.readUInt32LE(32), whole.readUInt32LE(36)], [0, 0])
    const other = await entered({})
    const pieces: Uint8Array[] = []
    for (let size = 1; pieces.reduce((sum, { length }) => sum + length, 0) < whole.length; size += 7) {
      pieces.push((await other.session.read(size, 0)).data)
    }
    // The id of an image, and so its check, are no other's.
    const differ = [...Buffer.concat(pieces)].flatMap((byte, at) => (byte === whole[at] ? [] : [at - 40]))
    assert.ok(
      differ.every(at => (at >= 32 && at < 40) || (at >= 76 && at < 80)),
      differ.join(' '),
    )
  })

  it('keeps images that were not read, in order, before the final one', async () => {
    const hand = await entered({})
    hand.mock.step(2)
    assert.equal(await hand.answer('STOP_COPY'), 0)
    const stream = await hand.drain()
    const second = 24 + 16 + imageBytes
    assert.equal(stream.readBigUInt64LE(second), BigInt(80 + 2 * 4096))
    assert.equal(stream.length, second + 16 + 80 + 2 * 4096)
    // incremental, last chunk, final
    assert.equal(stream.readUInt32LE(second + 16 + 48), 7)
  })

  it('is 40 bytes longer than the image without pre-copy, and announces just that image', async () => {
    const hand = hold({ size: 1_000_448 })
    assert.equal(await hand.answer('STOP_COPY'), 0)
    const stream = await hand.drain()
    assert.equal(stream.length, 40 + 80 + 1_000_448)
    assert.equal(await hand.backend.calls.dataSize(), 80 + 1_000_448)
    // ceil(1000528 / 4096) pages.
    assert.equal(stream.readBigUInt64LE(16), 245n * 4096n)
  })

  it('announces a tenth more with pre-copy', async () => {
    const hand = await entered({ size: 1_000_448 })
    // 1000528 + 100052, in pages: 269.
    assert.equal((await hand.drain()).readBigUInt64LE(16), 269n * 4096n)
  })

  it('loses the bytes of a read that faults', async () => {
    const hand = await entered({}, { on: 'READ', nth: 2, errno: 'EFAULT' })
    assert.equal(await hand.read(30), 30)
    assert.equal(await hand.read(1000), 'EFAULT')
    assert.equal(await hand.read(), 24 + 16 + imageBytes - 1030)
  })

  it('is what its fault makes of the stream: a byte inverted, the end cut off', async () => {
    const whole = await (await entered({})).drain()
    const flipped = await (await entered({}, { on: 'STREAM', flip: 10 })).drain()
    assert.equal((flipped[10] ?? 0) ^ (whole[10] ?? 0), 0xff)
    const cut = await entered({}, { on: 'STREAM', cut: 1000 })
    assert.equal((await cut.drain()).length, 1000)
    assert.equal(await cut.read(), 'ENOMSG')
    assert.equal(await cut.answer('STOP_COPY'), 0)
    assert.deepEqual([(await cut.drain()).length, await cut.read()], [0, 0])
  })

  it('waits for up to waitMs where there is nothing now, and asks once more', async () => {
    const hand = hold({ latency: { SAVE: 50 } })
    await hand.set('PRE_COPY')
    await hand.info()
    await hand.drain()
    hand.mock.step()
    await hand.info()
    const before = hand.clock.now()
    assert.equal(await hand.read(1000, 20), 'ENOMSG')
    assert.equal(hand.clock.now() - before, 20)
    assert.equal(await hand.read(2 ** 20, 1000), 16 + 80 + 4096)
    assert.equal(hand.clock.now() - before, 50)
  })

  it('does not take what it gives out', async () => {
    const hand = await entered({})
    assert.equal(said(await hand.session.write(new Uint8Array(1))), 'EBADF')
  })
})
