// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { programOf } from './program.js'

const mebibyte = 2 ** 20

describe('Pace of the addon', () => {
  const run = programOf('test/native/pace/pieces.cc')

  interface Copy {
    readonly rate: number
    readonly bytes: number
    readonly pieceMs?: number
    readonly pauseAfter?: number
    readonly pauseMs?: number
  }

  /** When each piece was begun, in ms, and its bytes. */
  function pieces({ rate, bytes, pieceMs = 0, pauseAfter = -1, pauseMs = 0 }: Copy): [number, number][] {
    const words = [rate, bytes, mebibyte, pieceMs, pauseAfter, pauseMs].map(String)
    const lines = run(words).split('\n').slice(0, -1)
    return lines.map(line => line.split(' ').map(Number) as [number, number])
  }

  it('without a rate is none: whole pieces, and no wait', () => {
    assert.deepEqual(pieces({ rate: 0, bytes: 2.5 * mebibyte }), [
      [0, mebibyte],
      [0, mebibyte],
      [0, mebibyte / 2],
    ])
  })

  it('begins a piece of a tenth of a second every tenth of a second', () => {
    const expected = Array.from({ length: 10 }, (_, index) => [index * 100, 100_000])
    assert.deepEqual(pieces({ rate: 1_000_000, bytes: 1_000_000 }), expected)
  })

  it('takes no piece above the usual, however high the rate', () => {
    const [first, second] = pieces({ rate: 100 * mebibyte, bytes: 3 * mebibyte })
    assert.deepEqual(
      [first, second],
      [
        [0, mebibyte],
        [10, mebibyte],
      ],
    )
  })

  it('goes on byte by byte at the lowest rate', () => {
    assert.deepEqual(pieces({ rate: 2, bytes: 3 }), [
      [0, 1],
      [500, 1],
      [1000, 1],
    ])
  })

  it('counts the time that a piece takes, and does not wait where that is all of it', () => {
    const fast = pieces({ rate: 1_000_000, bytes: 300_000, pieceMs: 60 }).map(([at]) => at)
    assert.deepEqual(fast, [0, 100, 200])
    const slow = pieces({ rate: 1_000_000, bytes: 300_000, pieceMs: 150 }).map(([at]) => at)
    assert.deepEqual(slow, [0, 150, 300])
  })

  it('makes up for no pause', () => {
    const begun = pieces({ rate: 1_000_000, bytes: 500_000, pauseAfter: 2, pauseMs: 5000 }).map(([at]) => at)
    assert.deepEqual(begun, [0, 100, 5100, 5200, 5300])
  })
})
