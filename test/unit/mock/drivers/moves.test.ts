// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice } from '#lib/index.js'
import { MockDevice, VirtualClock, flavourNames } from '#lib/mock/index.js'

describe('a mock of every flavour', () => {
  for (const flavour of flavourNames) {
    it(`${flavour}: what one saved another has when it was loaded, and both can tell`, async () => {
      const clock = new VirtualClock()
      const source = new MockDevice({ flavour, clock, name: 'source', seed: 0x0123_4567_89ab_cdefn })
      const target = new MockDevice({ flavour, clock, name: 'target', seed: 2n })
      await using from = await openDevice(source)
      await using to = await openDevice(target)
      source.step(300)
      await migrate({ from, to })
      assert.equal(target.seed, 0x0123_4567_89ab_cdefn)
      assert.equal(target.epoch, 300n)
      assert.equal(target.digest(), source.digest())
      assert.equal(target.state, 'RUNNING')
      target.step(1)
      assert.equal(target.epoch, 301n)
    })
  }
})
