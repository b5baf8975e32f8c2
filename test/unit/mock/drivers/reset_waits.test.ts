// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { FlavourName } from '#lib/mock/index.js'
import { Opened } from './opened.ts'

describe('a reset of a driver that has no deferred one', () => {
  for (const flavour of ['hisi_acc', 'qat', 'pds'] satisfies FlavourName[]) {
    it(`${flavour}: waits for a SET that runs, and the state is RUNNING when it answers`, async () => {
      const device = new Opened({ flavour })
      device.mock.inject({ on: 'SUSPEND_INITIATOR', hold: true })
      const setting = device.set('STOP')
      await device.mock.untilHeld()
      let isReset = false
      const resetting = device.calls.reset().finally(() => (isReset = true))
      await new Promise(resolve => setImmediate(resolve))
      assert.equal(isReset, false)
      device.mock.releaseHeld()
      assert.equal(await resetting, 0)
      assert.equal(device.mock.state, 'RUNNING')
      await setting
    })
  }
})
