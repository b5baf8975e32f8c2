// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { ScriptedDevice } from './scripted_device.js'
import { opened } from './scripted_opening.js'

describe('DMA logging', () => {
  it('passes ranges as pairs and answers the page size that the device chose', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    const ranges = [{ iova: 0x1000n, length: 0x2000n }]
    assert.deepEqual(await device.dmaLogging.start({ pageSize: 4096, ranges }), { pageSize: 4096 })
    assert.deepEqual(script.log, ['LOG_START 4096 4096 8192'])
  })

  it('refuses what is no unsigned number of 64 bits', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    const ranges = [{ iova: -4096n, length: 4096n }]
    await assert.rejects(device.dmaLogging.start({ pageSize: 4096, ranges }), RangeError)
    await assert.rejects(
      device.dmaLogging.report({ iova: 2n ** 64n, length: 1n, pageSize: 4096 }),
      RangeError,
    )
    assert.deepEqual(script.log, [])
  })

  it('is refused on a device that does not log', async () => {
    const script = new ScriptedDevice()
    script.logs = false
    const device = await opened(script)
    await assert.rejects(device.dmaLogging.start({ pageSize: 4096, ranges: [] }), {
      code: 'ERR_VFIO_CAPABILITY',
    })
  })
})
