// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Fault } from 'vfio-migrate/mock'
import { hold, type Hand } from './hand.js'

/** A record as drivers/vfio/pci/mlx5/cmd.h has it. */
function record(tag: number, flags: number, payload: Buffer, length = BigInt(payload.length)): Buffer {
  const header = Buffer.alloc(16)
  header.writeBigUInt64LE(length)
  header.writeUInt32LE(flags, 8)
  header.writeUInt32LE(tag, 12)
  return Buffer.concat([header, payload])
}

const nothing = Buffer.alloc(0)

/** The whole state of a device, which has made some steps. */
async function saved(steps = 6): Promise<{ stream: Buffer; image: Buffer; digest: string }> {
  const hand = hold()
  hand.mock.step(steps)
  await hand.set('STOP_COPY')
  const stream = await hand.drain()
  return { stream, image: stream.subarray(40), digest: hand.mock.digest() }
}

async function resuming(...faults: Fault[]): Promise<Hand> {
  const hand = hold({ seed: 99n, faults })
  assert.equal(await hand.answer('RESUMING'), 0)
  return hand
}

describe('mlx5 in RESUMING', () => {
  it('takes a stream in pieces of any length, and has the same state then', async () => {
    const { stream, digest } = await saved()
    for (const size of [1, 15, 17, 4096, stream.length]) {
      const hand = await resuming()
      for (let at = 0; at < stream.length; at += size) {
        const piece = stream.subarray(at, at + size)
        assert.equal(await hand.write(piece), piece.length)
      }
      assert.equal(await hand.answer('RUNNING'), 0)
      assert.equal(hand.mock.digest(), digest, `in pieces of ${size}`)
      assert.equal(hand.mock.seed, 0x0123456789abcdefn)
    }
  })

  const refused: readonly [what: string, stream: Buffer, answer: string][] = [
    ['a record of 4 GiB', record(0, 0, nothing, 2n ** 32n), 'ENOMEM'],
    ['a record of 2^64 - 1 bytes that could be skipped', record(9, 1, nothing, 2n ** 64n - 1n), 'ENOMEM'],
    ['a record that is neither known nor optional', record(2, 0, nothing), 'EOPNOTSUPP'],
    [
      'an image of no bytes, when the next byte comes',
      Buffer.concat([record(0, 0, nothing), Buffer.alloc(1)]),
      'EINVAL',
    ],
    ['an image that is none', record(0, 0, Buffer.alloc(100)), 'EINVAL'],
    ['an image shorter than a header', record(0, 0, Buffer.alloc(7)), 'EINVAL'],
  ]
  for (const [what, stream, answer] of refused) {
    it(`answers ${answer} to ${what}, ENODEV ever after, and leaves RESUMING with 0`, async () => {
      const hand = await resuming()
      assert.equal(await hand.write(stream), answer)
      assert.equal(await hand.write(Buffer.alloc(1)), 'ENODEV')
      assert.equal(await hand.state(), 'RESUMING')
      assert.equal(await hand.answer('STOP'), 0)
    })
  }

  it('takes an image that is announced as 4 GiB - 1 without the memory for it', async () => {
    const hand = await resuming()
    const header = record(0, 0, nothing, 2n ** 32n - 1n)
    assert.equal(await hand.write(header), 16)
    assert.equal(await hand.write(Buffer.alloc(2 ** 20)), 2 ** 20)
  })

  it('skips records that it need not know, whatever their length', async () => {
    const { stream, digest } = await saved()
    const hand = await resuming()
    const strange = Buffer.concat([record(7, 1, Buffer.alloc(100, 1)), record(7, 1, Buffer.alloc(9000, 2))])
    assert.equal(await hand.write(Buffer.concat([strange, stream])), strange.length + stream.length)
    await hand.set('STOP')
    assert.equal(hand.mock.digest(), digest)
  })

  it('needs no record 0, and lets it announce too little, or twice', async () => {
    const { image, digest } = await saved()
    const announce = (bytes: bigint): Buffer => {
      const payload = Buffer.alloc(8)
      payload.writeBigUInt64LE(bytes)
      return record(1, 1, payload)
    }
    for (const stream of [
      record(0, 0, image),
      Buffer.concat([announce(1n), announce(2n ** 63n), record(0, 5, image)]),
    ]) {
      const hand = await resuming()
      assert.equal(await hand.write(stream), stream.length)
      await hand.set('STOP')
      assert.equal(hand.mock.digest(), digest)
    }
  })

  it('leaves RESUMING with 0 wherever the stream ends, and is refused to run what is not whole', async () => {
    const { stream } = await saved()
    const hand = await resuming()
    assert.equal(await hand.write(stream.subarray(0, -1)), stream.length - 1)
    assert.equal(await hand.answer('RUNNING'), 0, 'nothing was loaded')
    const early = hold()
    await early.set('PRE_COPY')
    const initial = await early.drain()
    await hand.set('RESUMING')
    assert.equal(await hand.write(initial), initial.length)
    assert.equal(await hand.answer('STOP'), 0)
    assert.equal(await hand.answer('RUNNING_P2P'), 'EIO')
    assert.equal(await hand.state(), 'STOP')
    assert.equal(await hand.backend.calls.reset(), 0)
    assert.equal(await hand.state(), 'RUNNING')
  })

  const faults: readonly [Fault, string][] = [
    [{ on: 'LOAD', status: 4 }, 'EIO'],
    [{ on: 'LOAD', errno: 'ETIMEDOUT' }, 'ETIMEDOUT'],
    [{ on: 'ALLOC_RECORD', errno: 'ENOMEM' }, 'ENOMEM'],
    [{ on: 'WRITE', errno: 'EFAULT' }, 'EFAULT'],
  ]
  for (const [fault, answer] of faults) {
    it(`fails for good with ${answer} at ${fault.on}`, async () => {
      const { stream } = await saved()
      const hand = await resuming(fault)
      assert.equal(await hand.write(stream), answer)
      assert.equal(await hand.write(stream), 'ENODEV')
      await hand.set('STOP')
      assert.equal(await hand.write(stream), 'ENODEV')
    })
  }

  it('has every other call wait while it loads', async () => {
    const { stream } = await saved()
    const hand = await resuming({ on: 'LOAD', hold: true })
    const writing = hand.write(stream)
    await hand.mock.untilHeld()
    let isAnswered = false
    const asking = hand.state().finally(() => (isAnswered = true))
    for (let k = 0; k < 10; k++) await new Promise(resolve => setImmediate(resolve))
    assert.equal(isAnswered, false)
    hand.mock.releaseHeld()
    assert.deepEqual([await writing, await asking], [stream.length, 'RESUMING'])
  })

  it('does not give what it takes', async () => {
    assert.equal(await (await resuming()).read(), 'EBADF')
  })
})

describe('LOAD', () => {
  /** fmix of the model, once more. */
  const mix = (x: number): number => {
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    return (x ^ (x >>> 16)) >>> 0
  }
  function changed(image: Buffer, at: number, value: number): Buffer {
    const copy = Buffer.from(image)
    copy.writeUInt32LE(value, at)
    let check = 0
    for (let word = 0; word < 76; word += 4) check = mix(check ^ copy.readUInt32LE(word))
    if (at < 76) copy.writeUInt32LE(check, 76)
    return copy
  }

  const wrong: readonly [what: string, at: number, value: number, answer: string][] = [
    ['another magic', 0, 1, 'EINVAL'],
    ['another format', 4, 2, 'EINVAL'],
    ['a check that is not its own', 76, 0, 'EINVAL'],
    ['flags that nobody knows', 48, 8 | 6, 'EINVAL'],
    ['more pages than it has bytes', 56, 5, 'EINVAL'],
    ['the size of another device', 8, 20480, 'EIO'],
    ['a chunk before it', 52, 1, 'EINVAL'],
    ['a page that is not what it should be', 80 + 4000, 7, 'EINVAL'],
    ['a page that the device does not have', 80, 4, 'EINVAL'],
    ['pages that do not ascend', 80 + 4096, 0, 'EINVAL'],
  ]
  for (const [what, at, value, answer] of wrong) {
    it(`refuses an image with ${what}: ${answer}; and then what is there cannot be run`, async () => {
      const { image } = await saved()
      const hand = await resuming()
      const before = hand.mock.digest()
      assert.equal(await hand.write(record(0, 0, changed(image, at, value))), answer)
      assert.equal(hand.mock.digest(), before)
      assert.equal(await hand.answer('RUNNING'), 'EIO')
    })
  }

  it('takes an increment on top of what it goes on top of, and on nothing else', async () => {
    const source = hold()
    await source.set('PRE_COPY')
    const first = await source.drain()
    source.mock.step()
    await source.info()
    const second = await source.drain()
    source.mock.step()
    await source.info()
    const third = await source.drain()
    const hand = await resuming()
    assert.equal(await hand.write(first), first.length)
    assert.equal(await hand.write(third), 'EINVAL')
    const other = await resuming()
    assert.equal(
      await other.write(Buffer.concat([first, second, third])),
      first.length + second.length + third.length,
    )
    const alone = await resuming()
    assert.equal(await alone.write(second), 'EINVAL')
  })
})
