// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { runPreloaded } from './suite.js'

// The inner tests need LD_PRELOAD from their process's start; here each is a test of the outer run.
const run = await runPreloaded()

describe('the addon over the fake kernel', () => {
  for (const { title, error } of run.results) {
    it(title, () => {
      if (error !== undefined) assert.fail(error)
    })
  }

  it('comes to its end', () => {
    const failed = run.results.filter(result => result.error !== undefined).length
    assert.ok(run.results.length > 0, run.stderr)
    assert.equal(run.status, Math.min(failed, 255), `after ${run.results.at(-1)?.title}\n${run.stderr}`)
  })
})
