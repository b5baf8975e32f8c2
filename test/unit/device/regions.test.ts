// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { ScriptedDevice } from './scripted_device.js'
import { opened } from './scripted_opening.js'

describe('regions', () => {
  it('are accessed at their place, in the width that is asked for', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    const [bar0, bar1] = device.regions
    assert.deepEqual([bar0?.size, bar0?.readable, bar0?.writable], [8, true, true])
    assert.deepEqual([bar1?.size, bar1?.readable, bar1?.writable], [0, false, false])
    await bar0?.read(4, 4, { width: 4 })
    await bar0?.write(7, Buffer.from([1]))
    assert.deepEqual(script.log, ['GET', 'pread 4 at 4 by 4', 'GET', 'pwrite 1 at 7 by 1'])
  })

  it('are accessed in RUNNING and PRE_COPY, as the kernel answers, and in other states where that is forced', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    for (const state of ['STOP', 'STOP_COPY', 'RESUMING', 'RUNNING_P2P', 'PRE_COPY_P2P'] as const) {
      await device.reset()
      await device.setState(state)
      script.log.length = 0
      const refused = { code: 'ERR_VFIO_REGION_STATE', state, device: device.name, recovery: 'none' }
      await assert.rejects(async () => device.regions[0]?.read(4, 4), refused)
      await assert.rejects(async () => device.regions[0]?.write(7, Buffer.from([1])), refused)
      assert.deepEqual(script.log, ['GET', 'GET'])
      await device.regions[0]?.read(4, 4, { force: true })
      await device.regions[0]?.write(7, Buffer.from([1]), { force: true })
      assert.deepEqual(script.log, ['GET', 'GET', 'pread 4 at 4 by 1', 'pwrite 1 at 7 by 1'])
    }
    await device.reset()
    await device.setState('PRE_COPY')
    script.log.length = 0
    await device.regions[0]?.read(0, 1)
    assert.deepEqual(script.log, ['GET', 'pread 1 at 0 by 1'])
  })

  it('say which region, in which state, and what to do', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await device.setState('STOP')
    await assert.rejects(async () => device.regions[0]?.read(4, 4), {
      message: `reading region 0 of '${device.name}' is refused in STOP: it can change what is being saved, or the state. Wait for RUNNING, or pass { force: true } where that access is known to do neither`,
    })
  })

  it('of a device that cannot migrate are accessed without asking for its state', async () => {
    const script = new ScriptedDevice()
    script.flags = 0
    const device = await opened(script)
    await device.regions[0]?.read(0, 1)
    assert.deepEqual(script.log, ['pread 1 at 0 by 1'])
  })

  it('refuse what is out of them, before a call', async () => {
    const script = new ScriptedDevice()
    const [bar0, bar1] = (await opened(script)).regions
    for (const access of [
      () => bar0?.read(7, 2),
      () => bar0?.read(-1, 1),
      () => bar0?.read(0, 0),
      () => bar0?.read(2, 4, { width: 4 }),
      () => bar0?.write(8, Buffer.from([1])),
      () => bar1?.read(0, 1),
    ]) {
      await assert.rejects(async () => await access(), RangeError)
    }
    assert.deepEqual(script.log, [])
  })
})
