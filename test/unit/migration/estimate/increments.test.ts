// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { Increments } from '#lib/migration/estimate/increments.js'

function learnt(samples: readonly (readonly [ms: number, bytes: number])[]): Increments {
  const increments = new Increments()
  for (const [ms, bytes] of samples) increments.observe(ms, bytes)
  return increments
}

function near(actual: number | undefined, expected: number, part: number): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= part * expected,
    `${actual} is not ${expected}`,
  )
}

const MB = 1e6

describe('Increments', () => {
  it('know nothing before the first', () => assert.equal(new Increments().at(100), undefined))

  it('grow with the time while the working set is not full', () => {
    const increments = learnt([
      [1000, 10 * MB],
      [500, 5 * MB],
      [250, 2.5 * MB],
    ])
    near(increments.at(100), MB, 0.01)
    near(increments.at(2000), 20 * MB, 0.01)
  })

  it('stop growing with a working set that is written in turn', () => {
    const increments = learnt([
      [5000, 8 * MB],
      [2000, 8 * MB],
      [400, 4 * MB],
      [800, 8 * MB],
    ])
    near(increments.at(200), 2 * MB, 0.15)
    near(increments.at(10_000), 8 * MB, 0.1)
  })

  it('bend towards a working set that is written at random', () => {
    const truth = (ms: number): number => 8 * MB * (1 - Math.exp(-ms / 500))
    const increments = learnt([2000, 1000, 500, 250].map(ms => [ms, truth(ms)] as const))
    near(increments.at(100), truth(100), 0.15)
    near(increments.at(700), truth(700), 0.15)
    near(increments.at(9000), 8 * MB, 0.15)
  })

  it('go by the last one alone when the pace has changed', () => {
    const increments = learnt([
      [1000, 10 * MB],
      [500, 5 * MB],
      [250, 50 * MB],
    ])
    near(increments.at(100), 20 * MB, 0.01)
    assert.equal(increments.peakRate, (50 * MB) / 250)
  })

  it('are none where nothing changes', () =>
    assert.equal(
      learnt([
        [10, 0],
        [10, 0],
      ]).at(1000),
      0,
    ))

  it('trust themselves the more, the better they foresee', () => {
    const steady = learnt(Array.from({ length: 8 }, () => [100, MB] as const))
    const erratic = learnt(Array.from({ length: 8 }, (_, index) => [100, index % 2 ? MB : 3 * MB] as const))
    assert.ok(steady.error < 0.1)
    assert.ok(erratic.error > 0.4)
  })
})
