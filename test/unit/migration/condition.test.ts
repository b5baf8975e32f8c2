// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { Condition } from '#lib/migration/condition.js'
import { isSettled } from './settled.js'

describe('Condition', () => {
  it('does not let wait for what holds already', async () => {
    await new Condition().until(() => true)
  })

  it('looks again when it is told, and lets go on who has what they wait for', async () => {
    const condition = new Condition()
    let count = 0
    const [one, two] = [1, 2].map(least => condition.until(() => count >= least)) as [
      Promise<void>,
      Promise<void>,
    ]
    count = 1
    assert.equal(await isSettled(one), false)
    condition.changed()
    assert.deepEqual([await isSettled(one), await isSettled(two)], [true, false])
    count = 2
    condition.changed()
    await two
  })

  it('rejects whoever waits, and whoever comes later, with the first failure, also for what holds', async () => {
    const condition = new Condition()
    const waiting = condition.until(() => false)
    condition.fail(new Error('first'))
    condition.fail(new Error('second'))
    await assert.rejects(waiting, { message: 'first' })
    await assert.rejects(
      condition.until(() => true),
      { message: 'first' },
    )
  })

  it('fails with whatever it is given, be that undefined', async () => {
    const condition = new Condition()
    condition.fail(undefined)
    const failure = await condition
      .until(() => true)
      .then(
        () => 'none',
        (error: unknown) => ({ error }),
      )
    assert.deepEqual(failure, { error: undefined })
  })
})
