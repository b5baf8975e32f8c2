// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '#lib/index.js'
import { runChild } from './child.ts'
import { createMtty } from './mtty.ts'

const exitCodes = {
  'process.exit': 7,
  throw: 1,
  'natural end': 0,
  SIGTERM: 143,
  'worker.terminate': 0,
} as const

describe('a process that ends with a device open', () => {
  for (const phase of ['idle', 'in a path'] as const) {
    for (const [ending, code] of Object.entries(exitCodes)) {
      it(`by ${ending}, ${phase}, ends as told, and the device is free`, async () => {
        await using mtty = await createMtty()
        const child = await runChild('teardown', [ending, phase, mtty.uuid])
        assert.deepEqual([child.code, child.signal], [code, null], child.stderr)
        assert.equal(child.stderr.includes('thrown on purpose'), ending === 'throw', child.stderr)
        await using device = await openDevice(mtty.uuid)
        if (phase === 'idle') assert.equal(device.resetAtOpen, 'PRE_COPY')
        assert.equal(await device.state(), 'RUNNING')
      })
    }
  }
})
