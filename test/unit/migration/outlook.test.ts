// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Arc } from '#lib/errors.js'
import { handoverOf } from '#lib/migration/outlook.js'

const arcs = (...times: number[]): Arc[] => times.map(ms => ({ from: 'RUNNING', to: 'STOP', ms }))

describe('handoverOf', () => {
  it('is what preparing took beside the arcs of the slowest device', () =>
    assert.equal(handoverOf(20, { kind: 'prepared', arcs: [arcs(5, 1), arcs(7, 2)] }), 11))

  it('is all of it where there was no arc, and nothing where the arcs took it all', () => {
    assert.equal(handoverOf(3, { kind: 'prepared', arcs: [[]] }), 3)
    assert.equal(handoverOf(3, { kind: 'prepared', arcs: [arcs(4)] }), 0)
  })
})
