// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openBottle, type Bottle } from './bottle.ts'
import type { Sampled } from './sample/case.ts'
import { endOf, type End } from './sample/end.ts'
import { casesOf, kinds } from './sample/kinds.ts'
import { checkLogs } from './sample/logs.ts'
import { DriverStage, prepare } from './sample/on_driver.ts'
import { onMocks } from './sample/on_mocks.ts'
import { play } from './sample/play.ts'
import { openOne, type Opened } from './sample/role.ts'
import { check } from './sample/rules.ts'
import { size } from './sample/stage.ts'

/** Another one draws other cases; each kind has one of its own. */
const seed = 20_261_156
const seedOf = (kind: number): number => seed + Math.imul(kind, 0x9e37_79b1)
const howMany = 50

describe('a migration that goes wrong ends with the driver as with mocks, and never has two owners:', () => {
  let bottle: Bottle
  let from: Opened
  let to: Opened

  before(async () => {
    bottle = await openBottle({ size, capabilities: { adv_virtualization: true } })
    const [source, destination] = bottle.functions
    assert.ok(source && destination)
    from = await openOne(source)
    to = await openOne(destination)
  })
  after(async () => {
    for (const { backend } of [from, to]) await backend.calls.close()
    assert.deepEqual(await bottle.objects(), { pds: 0, mkeys: 0 })
    await bottle[Symbol.asyncDispose]()
  })

  async function onDriver(given: Sampled): Promise<End> {
    const stage = await DriverStage.begin(given, from, to)
    try {
      const played = await play(given, stage)
      const end = await endOf(stage, played)
      assert.deepEqual(await stage.missed(), [], 'faults that nobody came to')
      check(given, played, end)
      await checkLogs(from.bottled, to.bottled)
      return end
    } finally {
      await stage.end()
    }
  }

  /** False where with mocks nobody comes to the case: then with the driver neither. */
  async function holds(given: Sampled): Promise<boolean> {
    try {
      const expected = await onMocks(given, await prepare(from, to))
      if (expected === undefined) return false
      assert.deepEqual(await onDriver(given), expected)
      return true
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${JSON.stringify(given)}`, { cause: error })
    }
  }

  for (const [index, [title, kind, count]] of kinds.entries()) {
    it(`${title}, ${count} of the sample`, async () => {
      let drawn = 0
      for (const given of casesOf(kind, seedOf(index))) {
        if (await holds(given)) drawn++
        if (drawn === count) break
      }
    })
  }

  it(`${howMany} in all`, () => {
    assert.equal(
      kinds.reduce((sum, [, , count]) => sum + count, 0),
      howMany,
    )
  })
})
