// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { RoundSample } from '#lib/migration/progress.js'
import { promiseWaitMs } from '#lib/migration/promise.js'

const told = (askMs: number, firstByteMs: number): RoundSample => ({
  ...{ askedAt: 0, askMs, initialBytes: 0, dirtyBytes: 1, reinit: false, bytes: 1 },
  ...{ firstByteMs, sendMs: 0, loadMs: 0 },
})

describe('promiseWaitMs', () => {
  it('is ten seconds for the first image, of which nothing is known', () =>
    assert.equal(promiseWaitMs([]), 10_000))

  it('is four times what the slowest image took', () =>
    assert.equal(promiseWaitMs([told(1, 600), told(500, 1)]), 2400))

  it('is a second at least and ten at most', () => {
    assert.equal(promiseWaitMs([told(1, 1)]), 1000)
    assert.equal(promiseWaitMs([told(9000, 1)]), 10_000)
  })
})
