// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { scripted } from './scripted_opening.js'

describe('what pump() is given', () => {
  for (const [name, value, Kind] of [
    ['maxBytes', '1', TypeError],
    ['maxBytes', 0, RangeError],
    ['maxBytes', 1.5, RangeError],
    ['maxBytes', Infinity, RangeError],
    ['bytesPerSecond', null, TypeError],
    ['bytesPerSecond', 0, RangeError],
    ['bytesPerSecond', NaN, RangeError],
    ['signal', {}, TypeError],
    ['until', 'limit', TypeError],
  ] as const) {
    it(`is refused by name where it is wrong: ${name} ${JSON.stringify(value)}`, async () => {
      const { device, session } = await scripted('STOP_COPY')
      const options = { [name]: value } as object
      const isRight = (error: Error): boolean => error instanceof Kind && error.message.startsWith(name)
      await assert.rejects(device.savingStream.pump(1, options), isRight)
      assert.equal(session.reads.length, 0)
      if (name === 'until') return
      const { device: other } = await scripted('RESUMING')
      await assert.rejects(other.resumingStream.pump(0, options), isRight)
    })
  }

  it('is an fd, and options where there are any', async () => {
    const { device } = await scripted('STOP_COPY')
    const pump = device.savingStream.pump.bind(device.savingStream) as (
      ...values: unknown[]
    ) => Promise<unknown>
    await assert.rejects(pump('1'), { name: 'TypeError', message: /^fd must be a number, not string/ })
    await assert.rejects(pump(-1), { name: 'RangeError', message: /^fd must be a whole number from 0/ })
    await assert.rejects(pump(1, null), {
      name: 'TypeError',
      message: /^options must be an object, not null/,
    })
    await assert.rejects(pump(1, 7), { name: 'TypeError', message: /^options must be an object, not number/ })
  })
})
