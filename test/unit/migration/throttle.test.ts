// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { VirtualClock } from 'vfio-migrate/mock'
import { Throttle } from '#lib/migration/throttle.js'

describe('Throttle', () => {
  it('takes the time that the rate takes for so many bytes', async () => {
    const clock = new VirtualClock()
    const throttle = new Throttle(clock, 1000)
    await throttle.take(500)
    assert.equal(clock.now(), 500)
    await throttle.take(2000)
    assert.equal(clock.now(), 2500)
  })

  it('lets bytes through one after another, whoever they come from', async () => {
    const clock = new VirtualClock()
    const throttle = new Throttle(clock, 1000)
    const passed: [string, number][] = []
    const take = async (name: string, bytes: number): Promise<void> => {
      await throttle.take(bytes)
      passed.push([name, clock.now()])
    }
    await Promise.all([take('a', 1000), take('b', 200), take('c', 300)])
    assert.deepEqual(passed, [
      ['a', 1000],
      ['b', 1200],
      ['c', 1500],
    ])
  })

  it('saves nothing up while nobody sends', async () => {
    const clock = new VirtualClock()
    const throttle = new Throttle(clock, 1000)
    await clock.sleep(60_000)
    await throttle.take(1000)
    assert.equal(clock.now(), 61_000)
  })

  it('lets everything through at once where there is no limit', async () => {
    const clock = new VirtualClock()
    await new Throttle(clock, undefined).take(2 ** 40)
    assert.equal(clock.now(), 0)
  })
})
