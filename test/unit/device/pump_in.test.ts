// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { openDevice } from '#lib/device/open.js'
import { MockDevice } from 'vfio-migrate/mock'
import { gate } from './scripted_device.js'
import { scripted } from './scripted_opening.js'
import { ScriptedRuns, settle } from './scripted_runs.js'
import { temporaryFiles } from './temporary_files.js'

const ECANCELED = -125

describe('pump() of a resuming stream whose backend has a copy loop', () => {
  const { openFile } = temporaryFiles()

  it('leaves all of it to that, and does not end the stream', async () => {
    const runs = new ScriptedRuns()
    const { device, session } = await scripted('RESUMING', runs.give)
    const { resumingStream } = device
    const fd = await openFile('/dev/null', 'r')
    const pumping = resumingStream.pump(fd)
    const run = await runs.next()
    assert.deepEqual(run.request, [fd, Number.MAX_SAFE_INTEGER, 0])
    run.written = 30
    assert.equal(resumingStream.bytesWritten, 30)
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_BUSY' })
    run.answer({ bytes: 100 })
    assert.deepEqual(await pumping, { bytes: 100, pause: 'end' })
    assert.deepEqual([resumingStream.bytesWritten, resumingStream.writableEnded], [100, false])
    resumingStream.end()
    await device.setState('STOP')
    assert.deepEqual(session.written, [])
  })

  it('stops at a number of bytes', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('RESUMING', runs.give)
    const fd = await openFile('/dev/null', 'r')
    const pumping = device.resumingStream.pump(fd, { maxBytes: 10, bytesPerSecond: 5 })
    const run = await runs.next()
    assert.deepEqual(run.request, [fd, 10, 5])
    run.answer({ result: 10, bytes: 10 })
    assert.deepEqual(await pumping, { bytes: 10, pause: 'limit' })
  })

  it('is as final where the device fails as any write, and ends no process', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('RESUMING', runs.give)
    const pumping = device.resumingStream.pump(await openFile('/dev/null', 'r'))
    ;(await runs.next()).answer({ result: -22, call: 'write', bytes: 10 })
    await assert.rejects(pumping, {
      code: 'EINVAL',
      device: 'dev',
      recovery: 'reset',
      message: /after 10 bytes/,
    })
    assert.ok(device.resumingStream.destroyed)
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_LOAD_FAILED' })
  })

  it('leaves the stream alone where the fd fails', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('RESUMING', runs.give)
    const pumping = device.resumingStream.pump(await openFile('/dev/null', 'r'))
    ;(await runs.next()).answer({ result: -21, bytes: 0 })
    await assert.rejects(pumping, { code: 'EISDIR', syscall: 'read', device: undefined })
    assert.equal(device.resumingStream.destroyed, false)
  })

  it('is aborted by its signal, and another goes on there', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('RESUMING', runs.give)
    const controller = new AbortController()
    const fd = await openFile('/dev/null', 'r')
    const pumping = device.resumingStream.pump(fd, { signal: controller.signal })
    const run = await runs.next()
    controller.abort()
    assert.ok(run.isCancelled)
    run.answer({ result: ECANCELED, bytes: 10 })
    await assert.rejects(pumping, { name: 'AbortError' })
    const again = device.resumingStream.pump(fd)
    ;(await runs.next()).answer({ bytes: 20 })
    await again
    assert.equal(device.resumingStream.bytesWritten, 30)
  })

  it('comes before what is written meanwhile, and before the end', async () => {
    const runs = new ScriptedRuns()
    const { device, session } = await scripted('RESUMING', runs.give)
    const { resumingStream } = device
    const pumping = resumingStream.pump(await openFile('/dev/null', 'r'))
    const run = await runs.next()
    let isFinished = false
    resumingStream.on('finish', () => (isFinished = true))
    resumingStream.write('a')
    resumingStream.end('b')
    await settle()
    assert.deepEqual([session.written.length, isFinished], [0, false])
    run.answer({ bytes: 10 })
    await pumping
    await settle()
    assert.deepEqual([Buffer.concat(session.written).toString(), isFinished], ['ab', true])
  })

  it('is one at a time, behind what is being written, and before the end', async () => {
    const runs = new ScriptedRuns()
    const { device, session } = await scripted('RESUMING', runs.give)
    const { resumingStream } = device
    const fd = await openFile('/dev/null', 'r')
    const { promise, open: answer } = gate<number>()
    session.writeAnswer = () => promise
    resumingStream.write('ab')
    await assert.rejects(resumingStream.pump(fd), { code: 'ERR_VFIO_BUSY' })
    answer(2)
    await settle()
    const pumping = resumingStream.pump(fd)
    await assert.rejects(resumingStream.pump(fd), { code: 'ERR_VFIO_BUSY' })
    ;(await runs.next()).answer({ bytes: 1 })
    await pumping
    resumingStream.end()
    await assert.rejects(resumingStream.pump(fd), { code: 'ERR_VFIO_SESSION_ENDED' })
  })

  it('fails when its session is ended', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('RESUMING', runs.give)
    const pumping = device.resumingStream.pump(await openFile('/dev/null', 'r'))
    const run = await runs.next()
    const resetting = device.reset()
    run.answer({ result: ECANCELED })
    await Promise.all([resetting, assert.rejects(pumping, { code: 'ERR_VFIO_SESSION_ENDED' })])
  })
})

describe('pump() of a resuming stream whose backend has no copy loop', () => {
  const { openFile, path } = temporaryFiles()

  it('gives the same', async () => {
    const { device, session } = await scripted('RESUMING')
    await writeFile(path('state'), 'a state')
    const fd = await openFile('state', 'r')
    assert.deepEqual(await device.resumingStream.pump(fd, { maxBytes: 2 }), { bytes: 2, pause: 'limit' })
    assert.deepEqual(await device.resumingStream.pump(fd), { bytes: 5, pause: 'end' })
    assert.equal(Buffer.concat(session.written).toString(), 'a state')
    assert.equal(device.resumingStream.bytesWritten, 7)
  })

  it('is as final where the device fails, and not where the fd does', async () => {
    const { device, session } = await scripted('RESUMING')
    await assert.rejects(device.resumingStream.pump(await openFile('.', 'r')), { code: 'EISDIR' })
    assert.equal(device.resumingStream.destroyed, false)
    session.writeAnswer = () => -22
    await writeFile(path('state'), 'a state')
    await assert.rejects(device.resumingStream.pump(await openFile('state', 'r')), {
      code: 'EINVAL',
      recovery: 'reset',
    })
    assert.ok(device.resumingStream.destroyed)
  })

  it('is aborted between two pieces, of which each is loaded', async () => {
    const { device, session } = await scripted('RESUMING')
    await writeFile(path('state'), 'a state')
    const controller = new AbortController()
    session.writeAnswer = length => {
      controller.abort()
      return length
    }
    const options = { bytesPerSecond: 20, signal: controller.signal }
    await assert.rejects(device.resumingStream.pump(await openFile('state', 'r'), options), {
      name: 'AbortError',
    })
    assert.equal(Buffer.concat(session.written).toString(), 'a ')
  })

  it('moves the state of a mock to a file and into another', async () => {
    const [from, to] = await Promise.all([1, 2].map(() => openDevice(new MockDevice({ flavour: 'mlx5' }))))
    assert.ok(from && to)
    await from.setState('STOP_COPY')
    const { bytes } = await from.savingStream.pump(await openFile('state', 'w'))
    await to.setState('RESUMING')
    const loaded = await to.resumingStream.pump(await openFile('state', 'r'))
    assert.deepEqual(loaded, { bytes, pause: 'end' })
    to.resumingStream.end()
    await to.setState('STOP')
    await Promise.all([from.close(), to.close()])
  })
})
