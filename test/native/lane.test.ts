// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { programOf } from './program.js'

/** Whoever is put aside for a millisecond is no quick job: it may take several runs to see one without. */
const tries = 50

describe('a lane', () => {
  const run = programOf('test/native/lane/batches.cc', 'native/core/lane.cc')

  /** A letter for each job: A is delivered ahead of the next one, D wakes whoever waits. */
  const deliveries = (...words: string[]): string => run(words).trim()

  function assertOnce(expected: string, ...words: string[]): void {
    const seen = new Set<string>()
    for (let i = 0; i < tries && !seen.has(expected); i++) seen.add(deliveries(...words))
    assert.ok(seen.has(expected), `${[...seen].join(', ')}, and never ${expected}`)
  }

  it('wakes once for three quick jobs of a stream, not for its first, and keeps one in hand meanwhile', () => {
    assertOnce('DAADDD', '6')
    assertOnce('DAADAADAADAADD', '14')
  })

  it('counts what was posted while a job ran', () => assertOnce('DAADD', '5', 'growing'))

  it('holds up no job that took its time, and none of another kind', () => {
    assert.equal(deliveries('6', 'slow'), 'DDDDDD')
    assert.equal(deliveries('6', 'single'), 'DDDDDD')
  })
})
