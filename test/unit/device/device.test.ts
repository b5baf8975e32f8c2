// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '#lib/device/open.js'
import { ScriptedDevice, gate } from './scripted_device.js'
import { opened } from './scripted_opening.js'

const [EIO, EINVAL] = [-5, -22]

describe('setState', () => {
  it('drives arc by arc along the table and reports each arc with its time', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    assert.deepEqual(await device.setState('STOP_COPY'), [
      { from: 'RUNNING', to: 'RUNNING_P2P', ms: 2 },
      { from: 'RUNNING_P2P', to: 'STOP', ms: 2 },
      { from: 'STOP', to: 'STOP_COPY', ms: 2 },
    ])
    assert.deepEqual(script.log, ['GET', 'SET 5', 'SET 1', 'SET 3'])
  })

  it('gives the kernel the whole path in one SET when direct', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    assert.deepEqual(await device.setState('STOP_COPY', { direct: true }), [
      { from: 'RUNNING', to: 'STOP_COPY', ms: 2 },
    ])
    assert.deepEqual(script.log, ['GET', 'SET 3'])
    assert.ok(device.savingStream)
  })

  it('makes no SET when the device is there already', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    assert.deepEqual(await device.setState('RUNNING'), [])
    assert.deepEqual(script.log, ['GET'])
  })

  it('refuses an unknown state, and one that the device lacks, without asking the kernel', async () => {
    const script = new ScriptedDevice()
    script.flags = 1
    const device = await opened(script)
    await assert.rejects(device.setState('HALT' as 'STOP'), {
      code: 'ERR_VFIO_UNKNOWN_STATE',
      message: /HALT/,
    })
    await assert.rejects(device.setState('PRE_COPY_P2P'), {
      code: 'ERR_VFIO_CAPABILITY',
      message: /p2p and preCopy/,
    })
    assert.deepEqual(script.log, [])
  })

  it('refuses a path that the kernel does not have, without a SET', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await device.setState('STOP_COPY')
    script.log.length = 0
    await assert.rejects(device.setState('PRE_COPY'), { code: 'ERR_VFIO_NO_PATH', state: 'STOP_COPY' })
    assert.deepEqual(script.log, ['GET'])
  })

  for (const direct of [false, true]) {
    it(`touches nothing${direct ? ' in one SET either' : ''} where somebody moved the device from the state it was left in`, async () => {
      const script = new ScriptedDevice()
      const device = await opened(script)
      await assert.rejects(device.setState('RUNNING', { from: 'STOP', direct }), {
        name: 'VfioError',
        code: 'ERR_VFIO_STATE_MOVED',
        device: 'dev',
        state: 'RUNNING',
        recovery: 'none',
        message: /'dev' is in RUNNING and not in STOP: a reset or another process moved it/,
      })
      await assert.rejects(device.setState('STOP', { from: 'RUNNING_P2P', direct }), {
        code: 'ERR_VFIO_STATE_MOVED',
      })
      assert.deepEqual(script.log, ['GET', 'GET'])
      assert.equal((await device.setState('RUNNING_P2P', { from: 'RUNNING', direct })).length, 1)
    })
  }

  it('says reset where what moved the device was a failure of its driver', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    script.state = 0
    await assert.rejects(device.setState('RUNNING', { from: 'STOP' }), {
      code: 'ERR_VFIO_STATE_MOVED',
      state: 'ERROR',
      recovery: 'reset',
    })
  })

  it('tells the reader of a session that was over when the device was found in another state', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await device.setState('PRE_COPY')
    const idle = device.savingStream.idle()
    script.state = 2
    await assert.rejects(device.setState('STOP_COPY', { from: 'PRE_COPY' }), { code: 'ERR_VFIO_STATE_MOVED' })
    await assert.rejects(idle, { code: 'ERR_VFIO_SESSION_ENDED' })
  })

  it('takes only a state to begin from, and asks the kernel nothing otherwise', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await assert.rejects(device.setState('STOP', { from: 'HALT' as 'STOP' }), {
      code: 'ERR_VFIO_UNKNOWN_STATE',
      message: /HALT/,
    })
    assert.deepEqual(script.log, [])
  })

  it('refuses a second path while one is driven', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    const { promise, open } = gate<undefined>()
    script.hold = () => promise
    const first = device.setState('PRE_COPY')
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_BUSY' })
    await assert.rejects(device.precopyInfo(), { code: 'ERR_VFIO_BUSY' })
    assert.equal(await device.state(), 'RUNNING')
    open(undefined)
    await first
    assert.equal((await device.setState('RUNNING')).length, 1)
  })

  it('honours an abort before the first arc', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    const controller = new AbortController()
    const driving = device.setState('STOP', { signal: controller.signal })
    controller.abort('stop it')
    await assert.rejects(driving, { name: 'AbortError', code: 'ABORT_ERR', cause: 'stop it' })
    assert.deepEqual(script.log, ['GET'])
  })

  it('rejects with the arcs made, the failed arc, the state that the kernel answers, and the recovery', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    script.failures.set(1, EIO)
    await assert.rejects(device.setState('STOP_COPY'), {
      name: 'VfioSystemError',
      code: 'EIO',
      errno: -5,
      syscall: 'ioctl',
      request: 'VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE',
      device: 'dev',
      arcs: [{ from: 'RUNNING', to: 'RUNNING_P2P', ms: 2 }],
      failedArc: { from: 'RUNNING_P2P', to: 'STOP' },
      state: 'RUNNING_P2P',
      recovery: 'none',
    })
    assert.deepEqual(script.log, ['GET', 'SET 5', 'SET 1', 'GET'])
    await device.setState('RUNNING')
  })

  it('does not take a state for entered well whose data_fd it could not take over', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    script.loseSession = true
    await assert.rejects(device.setState('PRE_COPY'), {
      code: 'EMFILE',
      arcs: [{ from: 'RUNNING', to: 'PRE_COPY', ms: 2 }],
      failedArc: { from: 'RUNNING', to: 'PRE_COPY' },
      state: 'PRE_COPY',
      recovery: 'none',
    })
  })

  it('does not take a session that began anew between two arcs for the one that was being saved', async () => {
    const script = new ScriptedDevice()
    await using device = await openDevice(script)
    await device.setState('PRE_COPY')
    // Another holder of the device resets it when it is suspended.
    script.hold = () => {
      if (script.log.at(-1) === 'SET 3') script.state = 2
      return Promise.resolve()
    }
    await assert.rejects(device.setState('STOP_COPY'), { code: 'ERR_VFIO_SESSION_ENDED', state: 'STOP_COPY' })
    assert.deepEqual(
      script.sessions.map(({ closed }) => closed),
      [true, true],
    )
    assert.throws(() => device.savingStream, { code: 'ERR_VFIO_NO_SESSION' })
    assert.deepEqual(
      (await device.setState('RUNNING')).map(({ to }) => to),
      ['STOP', 'RUNNING_P2P', 'RUNNING'],
    )
  })

  it('poisons nothing when no SET was issued for want of a thread', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await device.setState('STOP_COPY')
    script.log.length = 0
    script.unprepared = -11
    await assert.rejects(device.setState('RESUMING'), {
      code: 'EAGAIN',
      state: 'STOP_COPY',
      recovery: 'none',
    })
    assert.deepEqual(script.log, ['GET'])
    assert.equal(await device.state(), 'STOP_COPY')
    assert.ok(device.savingStream)
  })

  it('says reset when RESUMING cannot be left', async () => {
    const script = new ScriptedDevice()
    const device = await opened(script)
    await device.setState('RESUMING')
    script.failures.set(1, EINVAL)
    await assert.rejects(device.setState('STOP'), { code: 'EINVAL', state: 'RESUMING', recovery: 'reset' })
    assert.ok(device.resumingStream, 'the session goes on: more can be written')
  })
})
