// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { CostLine } from '#lib/migration/estimate/cost_line.js'

const MB = 1e6

function measured(costs: readonly (readonly [bytes: number, ms: number])[], assumedMs = 1): CostLine {
  const line = new CostLine(assumedMs)
  for (const [bytes, ms] of costs) line.observe(bytes, ms)
  return line
}

function near(actual: number | undefined, expected: number, part = 0.02): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= part * expected,
    `${actual} is not ${expected}`,
  )
}

describe('CostLine', () => {
  it('knows nothing before it was told', () => assert.equal(new CostLine(1).at(MB), undefined))

  it('finds the fixed part and the rate', () => {
    const line = measured([
      [100 * MB, 104],
      [10 * MB, 14],
      [MB, 5],
    ])
    near(line.at(50 * MB), 54)
    near(line.at(0), 4)
  })

  it('finds that a slow command takes as long for a few bytes as for many', () => {
    const line = measured(
      [
        [4 * MB, 120],
        [MB, 120],
        [MB, 121],
      ],
      2,
    )
    near(line.at(MB), 120, 0.05)
    near(line.at(0.1 * MB), 120, 0.15)
  })

  it('takes the assumed cost of nothing where only much was measured', () =>
    near(measured([[100 * MB, 101]]).at(0), 1))

  it('does not let noise between large sizes say what nothing costs', () =>
    assert.ok(
      (measured([
        [100 * MB, 1000],
        [101 * MB, 1080],
        [99 * MB, 990],
      ]).at(0) ?? 0) < 2,
    ))

  it('goes by the assumed cost of nothing where one size was measured, however slow', () =>
    near(
      measured(
        [
          [100 * MB, 400],
          [110 * MB, 440],
        ],
        40,
      ).at(0),
      40,
      0.2,
    ))

  it('has no cost below nothing, and none that falls with the bytes', () => {
    const rising = measured(
      [
        [10 * MB, 5],
        [20 * MB, 20],
      ],
      0,
    )
    assert.ok((rising.at(MB) ?? -1) >= 0)
    const falling = measured([
      [10 * MB, 20],
      [20 * MB, 10],
    ])
    assert.ok((falling.at(40 * MB) ?? 0) >= (falling.at(10 * MB) ?? 0))
  })

  it('does not multiply what 40 bytes cost', () => assert.ok((measured([[40, 3]]).at(4096) ?? 0) < 4))

  it('stands where the clock stood', () =>
    assert.ok(
      (measured(
        [
          [10 * MB, 0],
          [MB, 0],
        ],
        0,
      ).at(100 * MB) ?? 1) < 0.1,
    ))

  it('trusts itself the more, the better it foresees', () => {
    const [steady, erratic] = [
      [20, 20, 20, 20, 20],
      [20, 60, 20, 60, 20],
    ].map(all => measured(all.map(ms => [MB, ms])))
    assert.ok(steady && erratic && steady.error < erratic.error)
  })
})
