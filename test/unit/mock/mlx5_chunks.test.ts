// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { commands, hold, type Hand } from './hand.js'

const mebibyte = 2 ** 20
/** 64 pages, of which 16 and a header fit into a chunk of 65 KiB. */
const options = { size: '256KiB', chunkSize: '65KiB' } as const
const chunkBytes = 80 + 16 * 4096

interface Record {
  readonly tag: number
  readonly length: number
  readonly flags: number
  readonly chunk: number
  readonly pages: number
}

function records(stream: Buffer): Record[] {
  const list: Record[] = []
  for (let at = 0; at < stream.length;) {
    const length = Number(stream.readBigUInt64LE(at))
    const tag = stream.readUInt32LE(at + 12)
    const image = stream.subarray(at + 16)
    const field = (offset: number): number => (tag === 0 ? image.readUInt32LE(offset) : 0)
    list.push({ tag, length, flags: field(48), chunk: field(52), pages: field(56) })
    at += 16 + length
  }
  return list
}

describe('mlx5 in chunk mode', () => {
  it('gives the whole state in records of a chunk each, of which the last one says so', async () => {
    const hand = hold(options)
    await hand.set('STOP_COPY')
    const [first, ...chunks] = records(await hand.drain())
    assert.deepEqual([first?.tag, first?.length], [1, 8])
    assert.deepEqual(
      chunks,
      [0, 1, 2, 3].map(chunk => ({
        tag: 0,
        length: chunkBytes,
        flags: chunk === 3 ? 6 : 4,
        chunk,
        pages: 16,
      })),
    )
    assert.equal(await hand.read(), 0)
  })

  it('sets aside 8 MiB, or all there is, and announces that', async () => {
    const small = hold(options)
    await small.set('STOP_COPY')
    assert.equal((await small.drain()).readBigUInt64LE(16), 65n * 4096n)
    const large = hold({ size: '9MiB', chunkSize: '1MiB' })
    await large.set('STOP_COPY')
    const { data } = await large.session.read(24, 0)
    assert.equal(Buffer.from(data).readBigUInt64LE(16), BigInt(8 * mebibyte))
  })

  it('has two chunks ready at most: the third is saved when the first has been read', async () => {
    const hand = hold(options)
    await hand.set('STOP_COPY')
    const saves = (): number => commands(hand.mock).filter(command => command.startsWith('SAVE')).length
    for (let k = 0; k < 5; k++) await hand.backend.calls.migrationFlags()
    assert.equal(saves(), 2)
    assert.equal(await hand.read(24 + 16 + chunkBytes - 1), 24 + 16 + chunkBytes - 1)
    await hand.backend.calls.migrationFlags()
    assert.equal(saves(), 2)
    await hand.read(1)
    await hand.backend.calls.migrationFlags()
    assert.equal(saves(), 3)
  })

  it('asks the firmware for the rest as increments', async () => {
    const hand = hold(options)
    await hand.set('STOP_COPY')
    await hand.drain()
    assert.deepEqual(
      commands(hand.mock)
        .slice(-5)
        .map(command => command.split(' ').slice(0, 3).join(' ')),
      ['QUERY false', 'SAVE false false', 'SAVE true false', 'SAVE true false', 'SAVE true false'],
    )
  })

  it('tells of no more than a chunk in a round, and of the whole as the size of the data', async () => {
    const hand = hold({ ...options, dirty: 0 })
    assert.equal(await hand.backend.calls.dataSize(), 80 + 256 * 1024)
    await hand.set('PRE_COPY')
    await hand.info()
    const initial = records(await hand.drain())
    assert.deepEqual(
      initial.map(({ pages }) => pages),
      [0, 16],
    )
    // 48 pages are still dirty.
    assert.deepEqual(await hand.info(), [0, 16 + 65 * 1024, 0])
    assert.deepEqual(
      records(await hand.drain()).map(({ pages }) => pages),
      [16],
    )
  })

  it('moves into a device that has no chunks', async () => {
    const hand = hold({ ...options })
    hand.mock.step(100)
    await hand.set('STOP_COPY')
    const stream = await hand.drain()
    const target = hold({ size: '256KiB', clock: hand.clock })
    await target.set('RESUMING')
    assert.equal(await target.write(stream), stream.length)
    assert.equal(await target.answer('RUNNING'), 0)
    assert.equal(target.mock.digest(), hand.mock.digest())
  })

  it('dies with a chunk that fails', async () => {
    const hand = hold({ ...options, faults: [{ on: 'SAVE', nth: 3, status: 9 }] })
    assert.equal(await hand.answer('STOP_COPY'), 0)
    assert.equal(await last(hand), 'ENODEV')
    assert.equal(await hand.answer('STOP'), 0)
  })
})

async function last(hand: Hand): Promise<number | string> {
  for (;;) {
    const answer = await hand.read()
    if (typeof answer === 'string' || answer === 0) return answer
  }
}
