// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { destinationOwner, type DestinationOwner, type DestinationState } from '#lib/ownership/destination.js'
import { MemoryJournal, type Fact } from '#lib/ownership/journal.js'
import { FailingJournal, HeldJournal, noSpace, prefixes } from './journals.js'

const refused = { code: 'ERR_VFIO_OWNERSHIP' }
const calls = ['accept', 'intend', 'foundStopped', 'ran', 'abdicate'] as const

type Call = (typeof calls)[number]

/** A destination that finds `facts`, after these calls. */
async function destination(facts: readonly Fact[], ...made: Call[]): Promise<DestinationOwner> {
  const owner = await destinationOwner(new MemoryJournal(facts))
  for (const call of made) await owner[call]()
  return owner
}

describe('the destination of a migration', () => {
  it('owns nothing until its run-intent is durable', async () => {
    const journal = new HeldJournal()
    const owner = await destinationOwner(journal)
    const accepted = owner.accept()
    journal.durable()
    await accepted
    const intended = owner.intend()
    assert.deepEqual([owner.state, owner.mayRun], ['intending', false])
    journal.durable()
    await intended
    assert.deepEqual([owner.state, owner.mayRun], ['committed', true])
  })

  it('writes accepted, run-intent and ran in the course of a migration', async () => {
    const journal = new MemoryJournal()
    const owner = await destinationOwner(journal)
    await owner.accept()
    await owner.intend()
    await owner.ran()
    assert.deepEqual(await journal.read(), ['accepted', 'run-intent', 'ran'])
    assert.deepEqual([owner.state, owner.mayRun], ['running', true])
  })

  for (const made of [[], ['accept'], ['accept', 'intend']] as const) {
    it(`may not run from the call of abdicate() on after [${made.join(', ')}]`, async () => {
      const journal = new HeldJournal()
      const owner = await destinationOwner(journal)
      for (const call of made) {
        const written = owner[call]()
        journal.durable()
        await written
      }
      const abdicated = owner.abdicate()
      assert.deepEqual([owner.state, owner.mayRun], ['abdicating', false])
      journal.durable()
      await abdicated
      assert.deepEqual([owner.state, owner.mayRun], ['abdicated', false])
    })
  }

  it('cannot abdicate once ran() was called, durable or not', async () => {
    const owner = await destinationOwner(new FailingJournal(['accepted', 'run-intent']))
    await owner.foundStopped()
    await assert.rejects(owner.ran(), noSpace)
    assert.deepEqual([owner.state, owner.mayRun], ['running', true])
    await assert.rejects(owner.abdicate(), refused)
  })

  it('may not run after a write of run-intent that failed, and can write it again or abdicate', async () => {
    for (const [call, state] of [
      ['intend', 'committed'],
      ['abdicate', 'abdicated'],
    ] as const) {
      const journal = new FailingJournal()
      const owner = await destinationOwner(journal)
      await assert.rejects(owner.accept(), noSpace)
      await owner.accept()
      journal.failNext()
      await assert.rejects(owner.intend(), noSpace)
      assert.deepEqual([owner.state, owner.mayRun], ['intending', false])
      await owner[call]()
      assert.equal(owner.state, state)
    }
  })

  it('can only abdicate again after a write of abdicated that failed', async () => {
    const owner = await destinationOwner(new FailingJournal(['accepted']))
    await assert.rejects(owner.abdicate(), noSpace)
    for (const call of ['accept', 'intend', 'foundStopped', 'ran'] as const) {
      await assert.rejects(owner[call](), refused)
    }
    assert.deepEqual([owner.state, owner.mayRun], ['abdicating', false])
    await owner.abdicate()
    assert.equal(owner.state, 'abdicated')
  })

  const taken: readonly (readonly [facts: readonly Fact[], made: readonly Call[], ...taken: Call[]])[] = [
    [[], [], 'accept', 'abdicate'],
    [[], ['accept'], 'intend', 'abdicate'],
    [[], ['accept', 'intend'], 'intend', 'ran', 'abdicate'],
    [[], ['accept', 'intend', 'ran'], 'ran'],
    [[], ['accept', 'intend', 'abdicate'], 'abdicate'],
    [[], ['abdicate'], 'abdicate'],
    [['accepted'], [], 'abdicate'],
    [['accepted', 'run-intent'], [], 'foundStopped', 'ran'],
    [['accepted', 'run-intent'], ['foundStopped'], 'intend', 'ran', 'abdicate'],
  ]
  for (const [facts, made, ...right] of taken) {
    const before = `[${[...facts, ...made.map(call => `${call}()`)].join(', ')}]`
    it(`takes ${right.join('() and ')}() after ${before}, and nothing else`, async () => {
      for (const call of calls) {
        const owner = await destination(facts, ...made)
        const { state, mayRun } = owner
        if (right.includes(call)) await owner[call]()
        else {
          await assert.rejects(owner[call](), refused)
          assert.deepEqual([owner.state, owner.mayRun], [state, mayRun])
        }
      }
    })
  }
})

describe('a destination that comes back', () => {
  const lives: readonly (readonly [facts: Fact[], ...states: DestinationState[]])[] = [
    [['accepted', 'run-intent', 'ran'], 'idle', 'interrupted', 'doubtful', 'running'],
    [['accepted', 'run-intent', 'abdicated'], 'idle', 'interrupted', 'doubtful', 'abdicated'],
    [['accepted', 'abdicated', 'abdicated'], 'idle', 'interrupted', 'abdicated', 'abdicated'],
    [['abdicated'], 'idle', 'abdicated'],
  ]
  for (const [facts, ...states] of lives) {
    it(`goes on after every prefix of [${facts.join(', ')}]`, async () => {
      const owners = await Promise.all(prefixes(facts).map(some => destination(some)))
      assert.deepEqual(
        owners.map(({ state }) => state),
        states,
      )
      for (const { state, mayRun } of owners)
        assert.equal(mayRun, state === 'doubtful' || state === 'running')
    })
  }

  it('is in doubt again when it dies after it found its devices in STOP', async () => {
    const journal = new MemoryJournal(['accepted', 'run-intent'])
    await (await destinationOwner(journal)).foundStopped()
    assert.equal((await destinationOwner(journal)).state, 'doubtful')
  })

  const impossible: readonly Fact[][] = [['ran', 'abdicated'], ['yielded'], ['accepted', 'released']]
  for (const facts of impossible) {
    it(`refuses a journal that has [${facts.join(', ')}]`, async () => {
      await assert.rejects(destination(facts), refused)
    })
  }
})
