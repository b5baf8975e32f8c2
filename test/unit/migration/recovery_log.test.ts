// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { DirtyLog } from '#lib/migration/dirty_log.js'

describe('DirtyLog.stop()', () => {
  it('ends the log of every device, also behind one that is poisoned', async () => {
    const clock = new VirtualClock()
    const mocks = [new MockDevice({ clock }), new MockDevice({ clock })]
    const devices = await Promise.all(mocks.map(async mock => await openDevice(mock)))
    const ranges = [{ iova: 0n, length: 65_536n }]
    const log = new DirtyLog({ pageSize: 4096, ranges, onDirty: () => undefined })
    await log.start(devices)
    const [first, second] = mocks
    first?.inject({ on: 'SAVE_CLEANUP', errno: 'EIO' })
    await devices[0]?.setState('PRE_COPY')
    await assert.rejects(async () => await devices[0]?.setState('RUNNING'), { code: 'EIO' })
    await log.stop()
    assert.ok(second?.history.some(event => event.kind === 'call' && event.call === 'dmaLoggingStop'))
  })
})
