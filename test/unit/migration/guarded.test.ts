// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { guarded } from '#lib/migration/guarded.js'
import type { Policy, PolicyProgress, Reasoned } from '#lib/migration/progress.js'

const parts = { stopArcsMs: 1, saveMs: 1, linkMs: 1, loadMs: 1, startArcsMs: 1, participantMs: 0 }
const loaded: PolicyProgress = {
  ...{ round: 3, elapsedMs: 40, initialBytesLeft: 0, canImprove: true, history: [] },
  predicted: { downtimeMs: 5, worstMs: 6, parts, bytes: 10 },
}
const unloaded = { ...loaded, initialBytesLeft: 7 }
const switches: Policy = () => ({ decision: 'switch', why: 'it is time', limitMs: 9 })

describe('a stop rule that was given', () => {
  it('decides alone when the initial bytes are loaded', () => {
    assert.deepEqual(guarded(switches, {})(loaded), switches(loaded))
    assert.equal(guarded(() => 'continue', {})(loaded), 'continue')
  })

  it('does not switch before the initial bytes are loaded', () => {
    for (const policy of [switches, (): 'switch' => 'switch']) {
      const { decision, why } = guarded(policy, {})(unloaded) as Reasoned
      assert.equal(decision, 'continue')
      assert.match(why, /7 initial bytes/)
    }
  })

  it('gives up whenever it wants to', () => assert.equal(guarded(() => 'abort', {})(unloaded), 'abort'))

  it('switches where no round can load them', () => {
    const progress = { ...unloaded, canImprove: false }
    assert.deepEqual(guarded(switches, {})(progress), switches(progress))
  })

  it('is not asked any more when the deadline has passed, which switches with initial bytes left, too', () => {
    const policy: Policy = () => assert.fail('asked')
    const decisions = [undefined, 'abort'].map(
      onDeadline =>
        guarded(policy, { deadlineMs: 40, ...(onDeadline && { onDeadline: 'abort' }) })(unloaded) as Reasoned,
    )
    assert.deepEqual(
      decisions.map(({ decision }) => decision),
      ['switch', 'abort'],
    )
    assert.equal(guarded(() => 'continue', { deadlineMs: 41 })(unloaded), 'continue')
  })

  it('may answer nothing that a decision is: whoever asks says so', () => {
    const policy = (() => undefined) as unknown as Policy
    assert.equal(guarded(policy, {})(unloaded), undefined)
  })
})
