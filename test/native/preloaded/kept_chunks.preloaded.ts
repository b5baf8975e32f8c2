// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice, type Device } from 'vfio-migrate'
import { saveKeepingChunks } from '../../unit/device/kept_chunks.js'
import { backendOf } from '../stress/devices.js'
import { StreamCheck } from '../stress/stream_check.js'
import { kernel } from './kernel.js'
import { scenario } from './scenario.js'

async function withDevice(body: (device: Device) => Promise<void>): Promise<void> {
  kernel.set(0, { image: 12 << 20, dirty: 0 })
  const backend = await backendOf(0, 'opened')
  assert.ok(backend)
  const device = await openDevice(backend)
  try {
    await body(device)
  } finally {
    await device.close()
  }
}

describe('the chunks of a pipeline', () => {
  scenario("are the consumer's own, all of them and for ever, over buffers that are used again", async () => {
    await withDevice(async device => {
      const saved = await saveKeepingChunks(device)
      assert.equal(saved.length, 24 + 16 + (12 << 20) + 16 + (3 << 20))
      new StreamCheck(true).take(saved)
    })
  })
})
