// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { presetPolicy, type PresetPolicyOptions } from '#lib/migration/policy.js'
import type { PolicyProgress, Prediction, Reasoned } from '#lib/migration/progress.js'

const noParts = { stopArcsMs: 0, saveMs: 0, linkMs: 0, loadMs: 0, startArcsMs: 0, participantMs: 0 }

function prediction(downtimeMs: number, worstMs = downtimeMs): Prediction {
  return { downtimeMs, worstMs, parts: { ...noParts, linkMs: downtimeMs }, bytes: 0 }
}

/** Rounds that foresaw `downtimes`, of which the last one is asked about. */
function after(downtimes: readonly number[], changes: Partial<PolicyProgress> = {}): PolicyProgress {
  const all = downtimes.map(downtime => prediction(downtime))
  return {
    round: all.length,
    elapsedMs: 1000,
    initialBytesLeft: 0,
    canImprove: true,
    predicted: all.at(-1) ?? prediction(0),
    history: all.slice(0, -1),
    ...changes,
  }
}

function decided(progress: PolicyProgress, options: PresetPolicyOptions = {}): Reasoned {
  return presetPolicy(options)(progress) as Reasoned
}

describe('presetPolicy', () => {
  it('goes on while initial bytes are not loaded, whatever is foreseen', () => {
    const { decision, why } = decided(after([5, 5, 5, 5, 5], { initialBytesLeft: 42 }))
    assert.equal(decision, 'continue')
    assert.match(why, /42 initial bytes/)
  })

  it('goes on after the first round, which says nothing about the next', () =>
    assert.equal(decided(after([5])).decision, 'continue'))

  it('switches within the limit when a round has made it no tenth shorter', () => {
    assert.equal(decided(after([280, 260])).decision, 'switch')
    assert.equal(decided(after([280, 240])).decision, 'continue')
  })

  it('switches at 300 ms unless it is told of another limit', () => {
    assert.equal(decided(after([310, 299])).decision, 'switch')
    assert.equal(decided(after([310, 301])).decision, 'continue')
    assert.equal(decided(after([310, 301]), { downtimeLimitMs: 302 }).decision, 'switch')
  })

  it('goes on within the limit while it may turn out longer, and for ten rounds without a gain', () => {
    const uncertain = { predicted: prediction(200, 400) }
    const { decision, why } = decided(after([200, 200, 200, 200, 200], uncertain))
    assert.equal(decision, 'continue')
    assert.match(why, /it may come to 400 ms/)
    assert.equal(decided(after(Array<number>(11).fill(200), uncertain)).decision, 'switch')
  })

  it('takes three rounds over the limit without a tenth of gain for a stall, and switches', () => {
    assert.equal(decided(after([1000, 950, 940])).decision, 'continue')
    const { decision, why } = decided(after([1000, 950, 940, 920]))
    assert.equal(decision, 'switch')
    assert.match(why, /3 rounds have brought no gain/)
  })

  it('takes a gain of a tenth within three rounds for none', () =>
    assert.equal(decided(after([1000, 950, 940, 899])).decision, 'continue'))

  it('does at a stall what it is told', () => {
    const stalled = after([1000, 1000, 1000, 1000])
    assert.equal(decided(stalled, { onStall: 'continue' }).decision, 'continue')
    assert.equal(decided(stalled, { onStall: 'abort' }).decision, 'abort')
  })

  it('goes no round for nothing', () => {
    const { decision, why } = decided(after([5000], { canImprove: false }))
    assert.equal(decision, 'switch')
    assert.match(why, /another round would change nothing/)
    assert.equal(decided(after([], { canImprove: false, round: 0 })).decision, 'switch')
  })

  it('goes no round for nothing either where a stall is to be gone on at', () =>
    assert.equal(decided(after([5000], { canImprove: false }), { onStall: 'continue' }).decision, 'switch'))

  it('aborts over the limit where nothing can improve, and a stall is to abort', () => {
    const options = { onStall: 'abort' } as const
    assert.equal(decided(after([5000], { canImprove: false }), options).decision, 'abort')
    assert.equal(decided(after([50], { canImprove: false }), options).decision, 'switch')
  })

  it('does what it is told when the deadline has passed, with initial bytes left or not', () => {
    const late = after([5000], { elapsedMs: 2000, initialBytesLeft: 1 })
    assert.equal(decided(late, { deadlineMs: 2000 }).decision, 'switch')
    assert.equal(decided(late, { deadlineMs: 2000, onDeadline: 'abort' }).decision, 'abort')
    assert.equal(decided(late, { deadlineMs: 2001 }).decision, 'continue')
  })

  it('makes no more rounds than it may, but for initial bytes', () => {
    const third = after([5000, 5000, 5000])
    assert.equal(decided(third, { maxRounds: 3 }).decision, 'switch')
    assert.equal(decided(third, { maxRounds: 4 }).decision, 'continue')
    const owed = after([5000, 5000, 5000], { initialBytesLeft: 1 })
    assert.equal(decided(owed, { maxRounds: 3 }).decision, 'continue')
  })

  it('tells the limit with a switch that it was the reason of, and with no other', () => {
    const uncertain = { predicted: prediction(200, 400) }
    assert.equal(decided(after([280, 260])).limitMs, 300)
    assert.equal(decided(after([280, 260]), { downtimeLimitMs: 400 }).limitMs, 400)
    assert.equal(decided(after(Array<number>(11).fill(200), uncertain)).limitMs, 300)
    const forced = [
      decided(after([280, 260]), { maxRounds: 2 }),
      decided(after([280, 260], { elapsedMs: 2000 }), { deadlineMs: 2000 }),
      decided(after([1000, 1000, 1000, 1000])),
      decided(after([200], { canImprove: false })),
      decided(after([280, 260]), { onOverrun: 'switch' }),
    ]
    for (const { decision, limitMs } of forced) assert.deepEqual([decision, limitMs], ['switch', undefined])
  })

  const wrong: readonly [object, ErrorConstructor, RegExp][] = [
    [{ downtimeLimitMs: '300' }, TypeError, /downtimeLimitMs/],
    [{ downtimeLimitMs: 0 }, RangeError, /downtimeLimitMs/],
    [{ deadlineMs: NaN }, RangeError, /deadlineMs/],
    [{ maxRounds: 1.5 }, RangeError, /maxRounds/],
    [{ maxRounds: null }, TypeError, /maxRounds/],
    [{ onDeadline: 'continue' }, TypeError, /onDeadline/],
    [{ onStall: 1 }, TypeError, /onStall/],
    [{ onOverrun: 'continue' }, TypeError, /onOverrun/],
  ]
  for (const [options, type, name] of wrong) {
    it(`names the field of ${JSON.stringify(options)}`, () =>
      assert.throws(
        () => presetPolicy(options),
        (error: Error) => error instanceof type && name.test(error.message),
      ))
  }
})
