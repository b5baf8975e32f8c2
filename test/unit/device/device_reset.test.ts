// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { ScriptedDevice, gate } from './scripted_device.js'
import { opened } from './scripted_opening.js'

const EIO = -5

describe('a poisoned device', () => {
  const poisoning: [string, 'PRE_COPY' | 'PRE_COPY_P2P' | 'STOP_COPY', 'RUNNING' | 'STOP_COPY', number][] = [
    ['PRE_COPY -> RUNNING', 'PRE_COPY', 'RUNNING', 2],
    ['PRE_COPY_P2P -> RUNNING_P2P', 'PRE_COPY_P2P', 'RUNNING', 5],
    ['PRE_COPY_P2P -> STOP_COPY', 'PRE_COPY_P2P', 'STOP_COPY', 3],
    ['STOP_COPY -> STOP', 'STOP_COPY', 'RUNNING', 1],
  ]
  for (const [title, from, to, failing] of poisoning) {
    it(`is made by a failing ${title}, takes reset() and close() only, and is not asked for its state`, async () => {
      const script = new ScriptedDevice()
      const device = await opened(script)
      await device.setState(from)
      script.failures.set(failing, EIO)
      script.log.length = 0
      await assert.rejects(device.setState(to), { code: 'EIO', state: undefined, recovery: 'reset' })
      assert.deepEqual(script.log, ['GET', `SET ${failing}`])
      const refused = { code: 'ERR_VFIO_POISONED', recovery: 'reset' }
      await assert.rejects(device.setState('STOP'), refused)
      await assert.rejects(device.state(), refused)
      await assert.rejects(device.precopyInfo(), refused)
      await assert.rejects(device.stopCopyBytes(), refused)
      await assert.rejects(device.dmaLogging.stop(), refused)
      await assert.rejects(Promise.resolve(device.regions[0]?.read(0, 1)), refused)
      await device.reset()
      assert.equal(await device.state(), 'RUNNING')
      assert.deepEqual(script.log, ['GET', `SET ${failing}`, 'RESET', 'GET'])
    })
  }

  it('is made by a failing direct SET whose path holds such an arc', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await device.setState('PRE_COPY')
    script.failures.set(3, EIO)
    await assert.rejects(device.setState('STOP_COPY', { direct: true }), { code: 'EIO', recovery: 'reset' })
    await assert.rejects(device.state(), { code: 'ERR_VFIO_POISONED' })
  })

  it('stays so when the reset fails', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await device.setState('PRE_COPY')
    script.failures.set(2, EIO)
    await assert.rejects(device.setState('RUNNING'))
    script.resetAnswer = -11
    await assert.rejects(device.reset(), { code: 'EAGAIN', request: 'VFIO_DEVICE_RESET', recovery: 'reset' })
    await assert.rejects(device.state(), { code: 'ERR_VFIO_POISONED' })
  })
})

describe('reset and close', () => {
  it('let a reset overtake a path that hangs', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    const { promise, open } = gate<undefined>()
    script.hold = () => promise
    const driving = device.setState('PRE_COPY')
    await device.reset()
    open(undefined)
    await driving
  })

  it('let a reset that overtook a failing path have the last word', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await device.setState('PRE_COPY')
    const { promise, open } = gate<undefined>()
    script.hold = () => promise
    script.failures.set(2, EIO)
    const driving = device.setState('RUNNING')
    await device.reset()
    open(undefined)
    await assert.rejects(driving, { code: 'EIO' })
    assert.equal(await device.state(), 'RUNNING')
  })

  it('let a path end before the device is closed', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    const { promise, open } = gate<undefined>()
    const begun = gate<undefined>()
    script.hold = () => {
      begun.open(undefined)
      return promise
    }
    const driving = device.setState('PRE_COPY')
    await begun.promise
    const closing = device.close()
    open(undefined)
    await Promise.all([driving, closing])
    assert.deepEqual(script.log, ['GET', 'SET 6', 'close'])
    assert.equal(script.session.closed, true)
  })

  it('keep a path from beginning on a device that is being closed', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    const driving = device.setState('PRE_COPY')
    const closing = device.close()
    await assert.rejects(driving, { code: 'ERR_VFIO_CLOSED' })
    await closing
    assert.deepEqual(script.log, ['GET', 'close'])
  })

  it('close once, and refuse everything afterwards', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await Promise.all([device.close(), device.close()])
    assert.deepEqual(script.log, ['close'])
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_CLOSED' })
    await assert.rejects(device.reset(), { code: 'ERR_VFIO_CLOSED' })
    assert.throws(() => device.lend(), { code: 'ERR_VFIO_CLOSED' })
  })

  it('leave a lent device as it is', async () => {
    const script = new ScriptedDevice('dev', 'lent')
    const device = await opened(script)
    await device.setState('PRE_COPY')
    script.log.length = 0
    await device.close()
    assert.deepEqual(script.log, ['close'])
    assert.equal(script.state, 6)
  })
})
