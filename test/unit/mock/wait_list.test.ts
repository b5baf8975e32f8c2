// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { realClock } from '#lib/mock/clock.js'
import { VirtualClock } from 'vfio-migrate/mock'

describe('the clocks of mocks', () => {
  it('refuse a time that never comes', async () => {
    const clock = new VirtualClock()
    for (const [ms, name] of [
      [NaN, 'RangeError'],
      [Infinity, 'RangeError'],
      ['5', 'TypeError'],
      [undefined, 'TypeError'],
    ] as const) {
      // prettier-ignore
      await assert.rejects(clock.sleep(ms as number), { name, message: /^ms: / })
      assert.throws(() => clock.after(ms as number, () => undefined), { name, message: /^ms: / })
    }
  })

  it('have room for ten thousand who wait', async () => {
    const clock = new VirtualClock()
    const seen: number[] = []
    const waits = Array.from({ length: 10_000 }, async (_, k) => {
      await clock.sleep((k * 7919) % 10_007)
      seen.push(clock.now())
    })
    const cancel = clock.after(5, () => assert.fail('it was taken back'))
    cancel()
    cancel()
    await Promise.all(waits)
    assert.deepEqual(
      seen,
      [...seen].sort((a, b) => a - b),
    )
  })

  it('wait for more than a timer of Node can count, without a warning', async () => {
    const warnings: unknown[] = []
    const note = (warning: unknown): unknown => warnings.push(warning)
    process.on('warning', note)
    const cancels = [2 ** 31, 2 ** 40, Infinity].map(ms =>
      realClock.after(ms, () => assert.fail('too early')),
    )
    await new Promise(resolve => setTimeout(resolve, 20))
    for (const cancel of cancels) cancel()
    process.off('warning', note)
    assert.deepEqual(warnings, [])
  })
})
