// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '#lib/device/open.js'
import { ScriptedDevice } from './scripted_device.js'
import { opened } from './scripted_opening.js'

describe('opening', () => {
  it('opts a device that is opened into INFOv2, and a lent one only when told', async () => {
    const own = new ScriptedDevice('own')
    const lent = new ScriptedDevice('lent', 'lent')
    const told = new ScriptedDevice('told', 'lent')
    assert.equal((await openDevice(own)).precopyInfoV2, true)
    assert.equal((await openDevice(lent)).precopyInfoV2, false)
    assert.equal((await openDevice(told, { precopyInfoV2: true })).precopyInfoV2, true)
    assert.deepEqual(
      [own, lent, told].map(({ log }) => log),
      [['INFOv2'], [], ['INFOv2']],
    )
  })

  it('takes a device without migration, and refuses to set its state', async () => {
    const script = new ScriptedDevice()
    script.flags = 0
    const device = await opened(script)
    assert.deepEqual(device.capabilities, { stopCopy: false, p2p: false, preCopy: false, dmaLogging: true })
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_NOT_MIGRATABLE' })
    assert.deepEqual(script.log, [])
  })

  it('says that a device logs its DMA only where all three of its calls are offered', async () => {
    const all = [
      [6, 0x20000],
      [7, 0x20000],
      [8, 0x10000],
    ]
    for (const missing of [undefined, 6, 7, 8]) {
      const asked: number[][] = []
      const script = new ScriptedDevice('fd:7', 'lent')
      script.calls.probe = (...question) => {
        asked.push(question)
        return Promise.resolve(question[0] === missing ? -25 : 0)
      }
      const { dmaLogging } = (await opened(script)).capabilities
      assert.equal(dmaLogging, missing === undefined)
      if (dmaLogging) assert.deepEqual(asked, all)
    }
  })

  it('refuses what is no device, by name', async () => {
    for (const wrong of [7, undefined, null, {}]) {
      await assert.rejects(openDevice(wrong as never), { name: 'TypeError', message: /openDevice\(\) takes/ })
    }
  })

  it('closes the device when its signal has fired', async () => {
    const script = new ScriptedDevice()
    const controller = new AbortController()
    const opening = openDevice(script, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await assert.rejects(opening, { name: 'AbortError' })
    assert.deepEqual(script.log, ['close'])
  })
})
