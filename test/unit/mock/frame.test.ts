// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { FrameError, FrameReader, encodeFrame, frameLimits } from '#lib/mock/frame.js'

const whole = (header: object, payload?: Uint8Array): Buffer => Buffer.concat(encodeFrame(header, payload))
const prefix = (header: number, payload: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(header, 0)
  bytes.writeUInt32LE(payload, 4)
  return bytes
}

describe('the frames of a mock in another process', () => {
  it('are two lengths, the header as JSON, and the payload', () => {
    const expected = [Buffer.from('0a00000002000000', 'hex'), Buffer.from('{"op":"x"}'), Buffer.of(7, 8)]
    assert.deepEqual(whole({ op: 'x' }, Uint8Array.of(7, 8)), Buffer.concat(expected))
  })

  it('are put together from pieces of any size', () => {
    const stream = Buffer.concat([whole({ id: 1 }, Buffer.from('abc')), whole({ id: 2 })])
    for (let size = 1; size <= stream.length; size++) {
      const reader = new FrameReader()
      const frames = []
      for (let at = 0; at < stream.length; at += size)
        frames.push(...reader.push(stream.subarray(at, at + size)))
      assert.deepEqual(
        frames.map(({ header, payload }) => [header, payload.toString()]),
        [
          [{ id: 1 }, 'abc'],
          [{ id: 2 }, ''],
        ],
        `in pieces of ${size}`,
      )
    }
  })

  it('keep a bigint a bigint, and Infinity what it is', () => {
    const header = { seed: 2n ** 64n - 1n, list: [{ epoch: 0n }], waitMs: Infinity }
    assert.deepEqual(new FrameReader().push(whole(header))[0]?.header, header)
  })

  const bad: Record<string, Buffer> = {
    'a header longer than is allowed': prefix(frameLimits.header + 1, 0),
    'a payload longer than is allowed': prefix(2, frameLimits.payload + 1),
    'no header': prefix(0, 4),
    'a header that is no JSON': Buffer.concat([prefix(2, 0), Buffer.from('{x')]),
    'a header that is no object': Buffer.concat([prefix(2, 0), Buffer.from('[]')]),
  }
  for (const [what, bytes] of Object.entries(bad)) {
    it(`are refused for ${what}`, () => {
      assert.throws(() => new FrameReader().push(bytes), FrameError)
    })
  }

  it('are refused by their prefix, before anything of them is kept', () => {
    assert.throws(() => new FrameReader().push(prefix(2, 0xffff_ffff)), /at most 67108864/)
  })

  it('are not made longer than a peer takes', () => {
    assert.throws(() => encodeFrame({}, new Uint8Array(frameLimits.payload + 1)), FrameError)
  })
})
