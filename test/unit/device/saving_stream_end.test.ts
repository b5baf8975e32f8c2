// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { openDevice } from '#lib/device/open.js'
import { ScriptedDevice } from './scripted_device.js'
import { collect, saving } from './scripted_saving.js'

const [ENODEV, ENOMSG] = [-19, -42]

describe('a session that our own setState ends', () => {
  it('closes a stream that nobody reads without an error', async () => {
    const { device, stream } = await saving('PRE_COPY')
    const closed = once(stream, 'close')
    await device.setState('RUNNING')
    await closed
    assert.equal(stream.errored, null)
    assert.throws(() => device.savingStream, { code: 'ERR_VFIO_NO_SESSION' })
  })

  it('fails a stream that is being read', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    collect(stream)
    const read = await script.session.nextRead()
    const failure = once(stream, 'error')
    script.hold = () => {
      read.answer(ENODEV, script.arc)
      return Promise.resolve()
    }
    await device.setState('RUNNING')
    const [error] = (await failure) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ERR_VFIO_SESSION_ENDED')
  })

  it('leaves a stream alone that has reached its end', async () => {
    const { script, device, stream } = await saving('STOP_COPY')
    stream.read()
    ;(await script.session.nextRead()).answer(3, script.arc, 'abc')
    ;(await script.session.nextRead()).answer(0, script.arc)
    await once(stream, 'readable')
    await device.setState('STOP')
    const taken = collect(stream)
    await once(stream, 'end')
    assert.equal(taken.text(), 'abc')
  })

  it('is over, and is not read any more, when the SET that leaves it fails: the device is poisoned', async () => {
    const { script, device, stream } = await saving('STOP_COPY')
    collect(stream)
    const failure = once(stream, 'error')
    script.failures.set(1, -5)
    await assert.rejects(device.setState('RUNNING'), { code: 'EIO' })
    assert.equal(((await failure) as [NodeJS.ErrnoException])[0].code, 'ERR_VFIO_SESSION_ENDED')
    assert.equal(script.session.closed, true)
  })

  it('goes on when a later arc of the way to it fails: PRE_COPY_P2P -> PRE_COPY', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    const taken = collect(stream)
    await device.setState('PRE_COPY_P2P')
    script.failures.set(6, -5)
    await assert.rejects(device.setState('PRE_COPY'), {
      code: 'EIO',
      state: 'PRE_COPY_P2P',
      recovery: 'none',
    })
    ;(await script.session.nextRead()).answer(2, script.arc, 'ab')
    ;(await script.session.nextRead()).answer(ENOMSG, script.arc)
    assert.equal(await stream.idle(), 'idle')
    assert.equal(taken.text(), 'ab')
  })

  it('fails a stream that is read when another process has moved the device on', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    collect(stream)
    const failure = once(stream, 'error')
    await script.session.nextRead()
    script.state = 2
    await device.setState('RUNNING')
    const [error] = (await failure) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ERR_VFIO_SESSION_ENDED')
  })
})

describe('a destroyed saving stream', () => {
  it('has STOP_COPY refused, with the remedy, until the device went back to RUNNING', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    stream.destroy()
    await once(stream, 'close')
    script.log.length = 0
    await assert.rejects(device.setState('STOP_COPY'), {
      code: 'ERR_VFIO_STREAM_DESTROYED',
      message: /RUNNING/,
    })
    assert.deepEqual(script.log, ['GET'])
    await device.setState('RUNNING')
    await device.setState('STOP_COPY')
    assert.notEqual(device.savingStream, stream)
  })

  it('is what a lent device in PRE_COPY looks like: its session is in other hands', async () => {
    const script = new ScriptedDevice('dev', 'lent')
    script.state = 6
    const device = await openDevice(script)
    await assert.rejects(device.setState('STOP_COPY'), { code: 'ERR_VFIO_STREAM_DESTROYED' })
  })
})

describe('a stream that is ended while what was read lies there', () => {
  for (const way of ['chunks', 'chunksToRelease'] as const) {
    it(`is no end for ${way}(), though the device had come to its own`, async () => {
      const { script, device, stream } = await saving('STOP_COPY')
      const loop = way === 'chunks' ? stream.chunks() : stream.chunksToRelease('end')
      const first = loop.next()
      for (const text of ['one', 'two']) (await script.session.nextRead()).answer(3, script.arc, text)
      ;(await script.session.nextRead()).answer(0, script.arc)
      assert.equal(((await first).value as Buffer).toString(), 'one')
      await turn()
      await device.reset()
      await assert.rejects(loop.next(), { code: /ERR_VFIO_(SESSION_ENDED|STREAM_DESTROYED)/ })
    })
  }
})
