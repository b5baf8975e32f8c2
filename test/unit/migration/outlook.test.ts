// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Arc } from '#lib/errors.js'
import { handoverOf } from '#lib/migration/outlook.js'

/** Those that stop it, and the one into RESUMING. */
const arcs = (stop: number, resuming: number): Arc[] => [
  { from: 'RUNNING', to: 'STOP', ms: stop },
  { from: 'STOP', to: 'RESUMING', ms: resuming },
]

describe('handoverOf', () => {
  it('is what preparing took beside the slowest stop and the slowest arc into RESUMING', () =>
    assert.equal(handoverOf(20, { kind: 'prepared', arcs: [arcs(5, 3), arcs(7, 2)] }), 10))

  it('is all of it where there was no arc, and nothing where the arcs took it all', () => {
    assert.equal(handoverOf(3, { kind: 'prepared', arcs: [[]] }), 3)
    assert.equal(handoverOf(3, { kind: 'prepared', arcs: [arcs(4, 1)] }), 0)
  })
})
