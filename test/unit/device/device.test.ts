// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '#lib/device/open.js'
import type { Device } from '#lib/device/device.js'
import { gate, ScriptedDevice } from './scripted_device.js'

const EIO = -5
const EINVAL = -22

async function opened(script: ScriptedDevice): Promise<Device> {
  const device = await openDevice(script)
  script.log.length = 0
  return device
}

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
