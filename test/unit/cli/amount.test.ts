// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { bytesPerSecondOf, durationOf } from '#lib/cli/amount.js'

describe('an amount of the command line', () => {
  it('is a rate in bytes, with binary units, or in bits, with decimal ones', () => {
    assert.equal(bytesPerSecondOf('100MiB/s'), 104_857_600)
    assert.equal(bytesPerSecondOf('1.5 KiB/s'), 1536)
    assert.equal(bytesPerSecondOf('10Gbit/s'), 1_250_000_000)
    assert.equal(bytesPerSecondOf('8kbit/s'), 1000)
  })

  it('is a time in milliseconds', () => {
    assert.deepEqual(['500ms', '90s', '5min', '1.5h'].map(durationOf), [500, 90_000, 300_000, 5_400_000])
  })

  it('has a unit, and is more than nothing', () => {
    for (const text of ['100', '0MiB/s', '-1MiB/s', '1MB/s', 'MiB/s', '1e3B/s', '', ' ', '1toString', 'NaNs'])
      assert.throws(() => bytesPerSecondOf(text), /with its unit, such as 100MiB\/s or 10Gbit\/s: B\/s, /)
    for (const text of ['90', '0s', '1m', `${'9'.repeat(400)}s`])
      assert.throws(() => durationOf(text), /such as 500ms or 5min/)
  })
})
