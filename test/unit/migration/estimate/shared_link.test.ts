// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { arrivals, busyMs } from '#lib/migration/estimate/shared_link.js'

describe('arrivals', () => {
  it('are of one shipment when its bytes are through', () =>
    assert.deepEqual(arrivals([{ readyMs: 5, bytes: 100 }], 10), [15]))

  it('are later for each where the link is shared', () => {
    // Until 5 the first has the link; from then on each has half of it: 50 bytes take 10 ms, and the rest is the second's.
    const shipments = [
      { readyMs: 0, bytes: 100 },
      { readyMs: 5, bytes: 100 },
    ]
    assert.deepEqual(arrivals(shipments, 10), [15, 20])
  })

  it('are at once where there is nothing to send', () =>
    assert.deepEqual(
      arrivals(
        [
          { readyMs: 3, bytes: 0 },
          { readyMs: 0, bytes: 10 },
        ],
        10,
      ),
      [3, 1],
    ))

  it('wait for what is ready late', () =>
    assert.deepEqual(
      arrivals(
        [
          { readyMs: 0, bytes: 10 },
          { readyMs: 100, bytes: 10 },
        ],
        10,
      ),
      [1, 101],
    ))
})

describe('busyMs', () => {
  it('counts once what happened at the same time', () =>
    assert.equal(
      busyMs([
        { from: 10, to: 20 },
        { from: 0, to: 5 },
        { from: 15, to: 30 },
        { from: 16, to: 17 },
      ]),
      25,
    ))
})
