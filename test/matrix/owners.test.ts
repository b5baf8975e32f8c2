// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Case } from './case.js'
import { twoOwners } from './owners.js'
import { closeAll, run, type Actor } from './stage.js'

const moved: Case = { scene: { flavour: 'xe', members: 1, origin: 'opened' } }
/** Somebody resets the source before anything was saved: what is moved is a state that has begun anew. */
const anew: Case = {
  ...moved,
  faults: [{ side: 'source', member: 0, fault: { on: 'RUNNING->RUNNING_P2P', reset: true } }],
}

const [RUNNING_P2P, RUNNING] = [5, 2]
const steps = 20

/** Has the case run, and its destination work; `then` is done to the source. */
async function alarmsOf(given: Case, then: (source: Actor) => Promise<void>): Promise<string[]> {
  const { actors } = await run(given)
  const [source, destination] = actors
  assert.ok(source && destination)
  destination.mock.step(steps)
  await then(source)
  const alarms = twoOwners(source.mock, destination.mock)
  await closeAll(actors)
  return alarms
}

async function runAgain({ mock, otherHolder }: Actor): Promise<void> {
  await otherHolder.setStates([RUNNING_P2P, RUNNING])
  mock.step(steps)
}

async function beginAnew({ mock, otherHolder }: Actor): Promise<void> {
  await otherHolder.reset()
  mock.step(steps)
}

describe('the witnesses that tell of two owners', () => {
  for (const [name, given] of Object.entries({ moved, 'moved when it had begun anew': anew })) {
    it(`say nothing of a state that was ${name}`, async () => {
      assert.deepEqual(await alarmsOf(given, () => Promise.resolve()), [])
    })

    it(`both tell of a source that runs again: ${name}`, async () => {
      const alarms = await alarmsOf(given, runAgain)
      assert.match(alarms[0] ?? '', /^source-0 lives from .* on, and destination-0 from /)
      assert.equal(alarms.at(-1), 'source-0 and destination-0 made one step')
    })

    it(`say nothing of a source that is reset, which is another life: ${name}`, async () => {
      assert.deepEqual(await alarmsOf(given, beginAnew), [])
    })
  }
})
