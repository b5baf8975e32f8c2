// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { MemoryJournal, type Fact } from '#lib/ownership/journal.js'
import { sourceOwner, type SourceOwner, type SourceState } from '#lib/ownership/source.js'
import { FailingJournal, HeldJournal, noSpace, prefixes } from './journals.js'

const refused = { code: 'ERR_VFIO_OWNERSHIP' }
const calls = ['yield', 'reclaim', 'release'] as const

type Call = (typeof calls)[number]

/** A source after these calls, and its journal. */
async function after(...made: Call[]): Promise<[SourceOwner, MemoryJournal]> {
  const journal = new MemoryJournal()
  const source = await sourceOwner(journal)
  for (const call of made) await source[call]()
  return [source, journal]
}

describe('the source of a migration', () => {
  it('owns its devices until it yields', async () => {
    const [source] = await after()
    assert.deepEqual([source.state, source.mayRun], ['owner', true])
  })

  it('may not run from the call of yield() on, and has yielded when that is durable', async () => {
    const journal = new HeldJournal()
    const source = await sourceOwner(journal)
    const yielded = source.yield()
    assert.deepEqual([source.state, source.mayRun], ['yielding', false])
    journal.durable()
    await yielded
    assert.deepEqual([source.state, source.mayRun], ['yielded', false])
    assert.deepEqual(journal.asked, ['yielded'])
  })

  it('runs again when it was shown that the destination has abdicated', async () => {
    const [source, journal] = await after('yield', 'reclaim')
    assert.deepEqual([source.state, source.mayRun], ['reclaimed', true])
    assert.deepEqual(await journal.read(), ['yielded', 'reclaimed'])
  })

  it('never runs again when it was shown that the destination runs', async () => {
    const [source, journal] = await after('yield', 'release')
    assert.deepEqual([source.state, source.mayRun], ['released', false])
    assert.deepEqual(await journal.read(), ['yielded', 'released'])
  })

  it('writes nothing when it goes back before it has yielded', async () => {
    const [source, journal] = await after('reclaim')
    assert.equal(source.mayRun, true)
    assert.deepEqual(await journal.read(), [])
  })

  it('may run from the call of reclaim() on: the proof is the word of the destination', async () => {
    const source = await sourceOwner(new FailingJournal(['yielded']))
    await assert.rejects(source.reclaim(), noSpace)
    assert.deepEqual([source.state, source.mayRun], ['reclaimed', true])
  })

  it('does not know after a write of yielded that failed, may not run, and can go back without proof', async () => {
    const journal = new FailingJournal()
    const source = await sourceOwner(journal)
    await assert.rejects(source.yield(), noSpace)
    assert.deepEqual([source.state, source.mayRun], ['yielding', false])
    await assert.rejects(source.release(), refused)
    await source.reclaim()
    assert.equal(source.mayRun, true)
    assert.deepEqual(await journal.read(), ['reclaimed'])
  })

  it('can yield again after a write that failed', async () => {
    const source = await sourceOwner(new FailingJournal())
    await assert.rejects(source.yield(), noSpace)
    await source.yield()
    assert.equal(source.state, 'yielded')
  })

  it('writes once what is called twice at a time, and takes nothing else meanwhile', async () => {
    const journal = new HeldJournal()
    const source = await sourceOwner(journal)
    const both = [source.yield(), source.yield()]
    await assert.rejects(source.reclaim(), refused)
    journal.durable()
    await Promise.all(both)
    assert.deepEqual(journal.asked, ['yielded'])
  })

  it('fails both calls that waited for a write that failed', async () => {
    const journal = new HeldJournal()
    const source = await sourceOwner(journal)
    const both = [source.yield(), source.yield()]
    journal.fail()
    for (const call of both) await assert.rejects(call, noSpace)
  })

  const refusals: readonly (readonly [made: readonly Call[], ...refused: Call[]])[] = [
    [[], 'release'],
    [['reclaim'], 'yield', 'release'],
    [['yield', 'reclaim'], 'yield', 'release'],
    [['yield', 'release'], 'yield', 'reclaim'],
  ]
  for (const [made, ...wrong] of refusals) {
    it(`refuses ${wrong.join('() and ')}() after [${made.join(', ')}], and takes the rest`, async () => {
      for (const call of calls) {
        const [source] = await after(...made)
        const { state, mayRun } = source
        if (!wrong.includes(call)) await source[call]()
        else {
          await assert.rejects(source[call](), refused)
          assert.deepEqual([source.state, source.mayRun], [state, mayRun])
        }
      }
    })
  }
})

describe('a source that comes back', () => {
  const lives: readonly (readonly [facts: Fact[], ...states: SourceState[]])[] = [
    [['yielded', 'reclaimed'], 'owner', 'yielded', 'reclaimed'],
    [['yielded', 'released'], 'owner', 'yielded', 'released'],
    [['yielded', 'yielded', 'reclaimed'], 'owner', 'yielded', 'yielded', 'reclaimed'],
    // The write of `yielded` failed and left nothing.
    [['reclaimed'], 'owner', 'reclaimed'],
  ]
  for (const [facts, ...states] of lives) {
    it(`goes on after every prefix of [${facts.join(', ')}]`, async () => {
      const owners = await Promise.all(prefixes(facts).map(some => sourceOwner(new MemoryJournal(some))))
      assert.deepEqual(
        owners.map(({ state }) => state),
        states,
      )
      for (const { state, mayRun } of owners) {
        assert.equal(mayRun, state === 'owner' || state === 'reclaimed')
      }
    })
  }

  it('goes back, or lets go, as it could before', async () => {
    for (const call of ['reclaim', 'release'] as const) {
      const journal = new MemoryJournal(['yielded'])
      await (await sourceOwner(journal))[call]()
      assert.equal((await sourceOwner(journal)).state, `${call}${call === 'reclaim' ? 'ed' : 'd'}`)
    }
  })

  const impossible: readonly Fact[][] = [['reclaimed', 'released'], ['abdicated'], ['yielded', 'run-intent']]
  for (const facts of impossible) {
    it(`refuses a journal that has [${facts.join(', ')}]`, async () => {
      await assert.rejects(sourceOwner(new MemoryJournal(facts)), refused)
    })
  }
})
