// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { array, assert as assertProperty, nat, property, record, uint8Array } from 'fast-check'
import { programOf } from './program.js'

describe('Crc32 of the addon', () => {
  const run = programOf('test/native/crc32/sums.cc')

  interface Request {
    readonly before: number
    readonly offset: number
    readonly bytes: Uint8Array
  }

  /** Of each request the sums by tables, by instructions, and as the addon chooses. */
  function sums(requests: readonly Request[]): number[][] {
    const input = requests.flatMap(({ before, offset, bytes }) => [
      new Uint8Array(Uint32Array.of(before, offset, bytes.length).buffer),
      bytes,
    ])
    return run([], Buffer.concat(input))
      .split('\n')
      .slice(0, -1)
      .map(line => line.split(' ').map(Number))
  }

  const expected = (requests: readonly Request[]): number[][] =>
    requests.map(({ before, bytes }) => Array<number>(3).fill(crc32(bytes, before)))

  it('is the one of zlib for every length up to some blocks, at every alignment', () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 131 + 17) & 0xff)
    const requests = Array.from({ length: 300 }, (_, length) => ({
      before: (length * 0x9e3779b1) >>> 0,
      offset: (length * 7) % 64,
      bytes: bytes.subarray(300 - length),
    }))
    assert.deepEqual(sums(requests), expected(requests))
  })

  it('is the one of zlib for any bytes after any others, however they lie', () => {
    const request = record({
      before: nat(0xffffffff),
      offset: nat(63),
      bytes: uint8Array({ maxLength: 5000, size: 'max' }),
    })
    assertProperty(
      property(array(request, { minLength: 1, maxLength: 20 }), requests =>
        assert.deepEqual(sums(requests), expected(requests)),
      ),
      { numRuns: 50 },
    )
  })
})
