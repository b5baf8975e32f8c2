// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { decodeHeader, encodeHeader, SavedImage, type ImageHeader } from '#lib/mock/image.js'

const header: ImageHeader = {
  size: 12288,
  seed: 0x0123456789abcdefn,
  epoch: 5n,
  id: 0x1122334455667788n,
  base: 0xddeeff0099aabbccn,
  flags: 7,
  chunk: 2,
  pages: 3,
  window: { iova: 0n, vector: 0xffffffff },
}

// Packed by another program after docs/firmware-model.md.
const packed =
  '5646494d010000000030000000000000efcdab896745230105000000000000008877665544332211ccbbaa9900ffeedd' +
  '070000000200000003000000ffffffff00000000000000000000000003702aa5'

const hex = (words: Uint32Array): string =>
  Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString('hex')

describe('an image', () => {
  it('begins with the header of the model, byte by byte', () => {
    assert.equal(hex(encodeHeader(header)), packed)
  })

  it('gives its header back', () => {
    assert.deepEqual(decodeHeader(encodeHeader(header)), header)
  })

  it('has no header when any bit of it has changed', () => {
    for (let bit = 0; bit < 640; bit++) {
      const words = encodeHeader(header)
      words[bit >> 5] = (words[bit >> 5] ?? 0) ^ (1 << (bit & 31))
      assert.equal(decodeHeader(words), undefined, `bit ${bit}`)
    }
  })

  it('is the same in whatever pieces and wherever in memory it is read', () => {
    // The last page of 10 KiB has 2 KiB.
    const image = new SavedImage({ ...header, size: 10240 }, Uint32Array.of(0, 2), Uint32Array.of(4, 0))
    assert.equal(image.length, 80 + 4096 + 2048)
    const whole = new Uint8Array(image.length)
    image.copy(0, whole)
    for (const size of [1, 3, 4, 79, 81, 1000, 4096, 5000]) {
      const pieces = new Uint8Array(image.length + 1).subarray(1)
      for (let at = 0; at < image.length; at += size) image.copy(at, pieces.subarray(at, at + size))
      assert.ok(Buffer.from(pieces).equals(whole), `in pieces of ${size}`)
    }
    assert.deepEqual([...new Uint32Array(whole.buffer, 80, 2)], [0, 4])
    assert.deepEqual([...new Uint32Array(whole.buffer, 80 + 4096, 2)], [2, 0])
  })
})
