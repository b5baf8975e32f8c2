// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { VfioSystemError } from '#lib/errors.js'
import { gate } from './scripted_device.js'
import { scripted } from './scripted_opening.js'
import { ScriptedRuns, settle } from './scripted_runs.js'
import { temporaryFiles } from './temporary_files.js'

const [ECANCELED, ENODEV, ENOMSG, ENOSPC] = [-125, -19, -42, -28]

describe('pump() of a saving stream whose backend has a copy loop', () => {
  const { openFile, textOf } = temporaryFiles()

  it('leaves all of it to that, and reads nothing itself', async () => {
    const runs = new ScriptedRuns()
    const { script, device, session } = await scripted('STOP_COPY', runs.give)
    const fd = await openFile('/dev/null', 'w')
    const pumping = device.savingStream.pump(fd)
    const run = await runs.next()
    assert.deepEqual(run.request, [fd, Number.MAX_SAFE_INTEGER, 0, 0])
    run.answer({ bytes: 1000, arc: script.arc })
    assert.deepEqual(await pumping, { bytes: 1000, pause: 'end' })
    assert.equal(session.reads.length, 0)
    assert.equal(device.savingStream.bytesRead, 1000)
    assert.ok(device.savingStream.readableEnded)
  })

  it('tells how far it is while it runs, and what it holds as bytes that are not taken', async () => {
    const runs = new ScriptedRuns()
    const { script, device } = await scripted('STOP_COPY', runs.give)
    const { savingStream } = device
    const pumping = savingStream.pump(await openFile('/dev/null', 'w'))
    const run = await runs.next()
    run.read = 300
    run.written = 100
    assert.deepEqual([savingStream.bytesRead, savingStream.bufferedBytes], [300, 200])
    run.answer({ bytes: 400, arc: script.arc })
    await pumping
    assert.deepEqual([savingStream.bytesRead, savingStream.bufferedBytes], [400, 0])
  })

  for (const [result, name] of [
    [0, '0'],
    [ENOMSG, 'ENOMSG'],
  ] as const) {
    it(`takes ${name} in PRE_COPY for idle, and waits for what is announced then`, async () => {
      const runs = new ScriptedRuns()
      const { script, device, session } = await scripted('PRE_COPY', runs.give)
      const fd = await openFile('/dev/null', 'w')
      const first = device.savingStream.pump(fd, { until: 'idle' })
      ;(await runs.next()).answer({ result, bytes: 10, arc: script.arc })
      assert.deepEqual(await first, { bytes: 10, pause: 'idle' })
      session.info = { result: 0, initialBytes: 0, dirtyBytes: 5, flags: 0 }
      await device.precopyInfo({ waitMs: 77 })
      assert.equal(session.reads.length, 0, 'what nobody reads is not read ahead')
      const second = device.savingStream.pump(fd, { until: 'idle' })
      const run = await runs.next()
      assert.equal(run.request[3], 77)
      run.answer({ result, bytes: 5, arc: script.arc })
      assert.deepEqual(await second, { bytes: 5, pause: 'idle' })
    })
  }

  it('waits through an idle when it is to go on to the end', async () => {
    const runs = new ScriptedRuns()
    const { script, device } = await scripted('PRE_COPY', runs.give)
    const pumping = device.savingStream.pump(await openFile('/dev/null', 'w'), { maxBytes: 100 })
    ;(await runs.next()).answer({ result: ENOMSG, bytes: 10, arc: script.arc })
    await settle()
    assert.equal(runs.all.length, 1)
    await device.setState('STOP_COPY')
    const last = await runs.next()
    assert.equal(last.request[1], 90)
    last.answer({ bytes: 20, arc: script.arc })
    assert.deepEqual(await pumping, { bytes: 30, pause: 'end' })
  })

  it('goes on behind a 0 that was read before STOP_COPY and told after it', async () => {
    const runs = new ScriptedRuns()
    const { script, device } = await scripted('PRE_COPY', runs.give)
    const pumping = device.savingStream.pump(await openFile('/dev/null', 'w'))
    const early = await runs.next()
    const { arc } = script
    await device.setState('STOP_COPY')
    early.answer({ bytes: 10, arc })
    ;(await runs.next()).answer({ bytes: 20, arc: script.arc })
    assert.deepEqual(await pumping, { bytes: 30, pause: 'end' })
  })

  it('ends nothing but itself when it is aborted with the last byte read', async () => {
    const runs = new ScriptedRuns()
    const { script, device, session } = await scripted('STOP_COPY', runs.give)
    const { savingStream } = device
    const controller = new AbortController()
    const fd = await openFile('/dev/null', 'w')
    const pumping = savingStream.pump(fd, { signal: controller.signal })
    const run = await runs.next()
    controller.abort()
    run.answer({ bytes: 10, arc: script.arc })
    await assert.rejects(pumping, { name: 'AbortError' })
    await settle()
    assert.deepEqual(
      [savingStream.readableEnded, savingStream.destroyed, session.closed],
      [false, false, false],
    )
    assert.deepEqual(await savingStream.pump(fd), { bytes: 0, pause: 'end' })
  })

  it('stops at a number of bytes', async () => {
    const runs = new ScriptedRuns()
    const { script, device } = await scripted('STOP_COPY', runs.give)
    const fd = await openFile('/dev/null', 'w')
    const pumping = device.savingStream.pump(fd, { maxBytes: 64, bytesPerSecond: 1000 })
    const run = await runs.next()
    assert.deepEqual(run.request, [fd, 64, 1000, 0])
    run.answer({ result: 64, bytes: 64, arc: script.arc })
    assert.deepEqual(await pumping, { bytes: 64, pause: 'limit' })
  })

  it('writes what was read ahead first, and begins when the reads that were posted are back', async () => {
    const runs = new ScriptedRuns()
    const { script, device, session } = await scripted('STOP_COPY', runs.give)
    const { savingStream } = device
    const chunks = savingStream.chunks()
    const first = chunks.next()
    ;(await session.nextRead()).answer(3, script.arc, 'abc')
    assert.equal(String((await first).value), 'abc')
    await chunks.return('idle')
    const pumping = savingStream.pump(await openFile('state', 'w'))
    await settle()
    assert.equal(runs.all.length, 0)
    ;(await session.nextRead()).answer(3, script.arc, 'def')
    const run = await runs.next()
    assert.equal(await textOf('state'), 'def')
    run.answer({ bytes: 7, arc: script.arc })
    assert.deepEqual(await pumping, { bytes: 10, pause: 'end' })
    assert.equal(savingStream.bytesRead, 13)
  })

  it('gives back what an fd did not take, and is rejected with its errno', async () => {
    const runs = new ScriptedRuns()
    const { script, device, session } = await scripted('STOP_COPY', runs.give)
    const { savingStream } = device
    const pumping = savingStream.pump(await openFile('/dev/null', 'w'))
    ;(await runs.next()).answer({ result: ENOSPC, call: 'write', bytes: 2, rest: Buffer.from('cde') })
    await assert.rejects(pumping, (error: VfioSystemError) => {
      assert.ok(error instanceof VfioSystemError)
      assert.deepEqual([error.code, error.syscall, error.device], ['ENOSPC', 'write', undefined])
      return true
    })
    assert.deepEqual([savingStream.bytesRead, savingStream.bufferedBytes], [5, 3])
    const again = savingStream.pump(await openFile('state', 'w'))
    ;(await runs.next()).answer({ bytes: 0, arc: script.arc })
    assert.deepEqual(await again, { bytes: 3, pause: 'end' })
    assert.equal(await textOf('state'), 'cde')
    assert.equal(session.reads.length, 0)
  })

  it('is aborted by its signal, when the copy loop has come back, and loses nothing', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('STOP_COPY', runs.give)
    const { savingStream } = device
    const controller = new AbortController()
    const pumping = savingStream.pump(await openFile('/dev/null', 'w'), { signal: controller.signal })
    let isSettled = false
    pumping.catch(() => (isSettled = true))
    const run = await runs.next()
    controller.abort('enough')
    await settle()
    assert.deepEqual([run.isCancelled, isSettled], [true, false])
    run.answer({ result: ECANCELED, call: 'write', bytes: 1, rest: Buffer.from('bc') })
    await assert.rejects(pumping, { name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' })
    const chunks = savingStream.chunks()
    assert.equal(String((await chunks.next()).value), 'bc')
    await chunks.return('idle')
    assert.equal(savingStream.destroyed, false)
  })

  it('is aborted while it waits for more', async () => {
    const runs = new ScriptedRuns()
    const { script, device } = await scripted('PRE_COPY', runs.give)
    const controller = new AbortController()
    const { signal } = controller
    const pumping = device.savingStream.pump(await openFile('/dev/null', 'w'), { signal })
    ;(await runs.next()).answer({ result: ENOMSG, arc: script.arc })
    await settle()
    controller.abort()
    await assert.rejects(pumping, { name: 'AbortError' })
  })

  it('touches nothing where the signal has fired before', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('STOP_COPY', runs.give)
    const pumping = device.savingStream.pump(1, { signal: AbortSignal.abort() })
    await assert.rejects(pumping, { name: 'AbortError' })
    assert.equal(runs.all.length, 0)
  })

  it('fails with the errno of a read, as the stream does', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('STOP_COPY', runs.give)
    const pumping = device.savingStream.pump(await openFile('/dev/null', 'w'))
    ;(await runs.next()).answer({ result: -5, bytes: 10 })
    await assert.rejects(pumping, { code: 'EIO', syscall: 'read', device: 'dev' })
    assert.ok(device.savingStream.destroyed)
  })

  it('fails when its session is ended', async () => {
    const runs = new ScriptedRuns()
    const { device } = await scripted('PRE_COPY', runs.give)
    const pumping = device.savingStream.pump(await openFile('/dev/null', 'w'))
    const run = await runs.next()
    await Promise.all([
      device.setState('RUNNING').then(() => run.answer({ result: ENODEV })),
      assert.rejects(pumping, { code: 'ERR_VFIO_SESSION_ENDED' }),
    ])
  })

  it('asks no more of a device that leaves the saving group', async () => {
    const runs = new ScriptedRuns()
    const { script, device } = await scripted('PRE_COPY', runs.give)
    const { promise, open } = gate<undefined>()
    script.hold = () => promise
    const pumping = device.savingStream.pump(await openFile('/dev/null', 'w'))
    const leaving = device.setState('RUNNING')
    await settle()
    ;(await runs.next()).answer({ result: ENODEV, arc: script.arc })
    await settle()
    assert.equal(runs.all.length, 1)
    open(undefined)
    await Promise.all([leaving, assert.rejects(pumping, { code: 'ERR_VFIO_SESSION_ENDED' })])
  })

  it('is what copyTo() an fd does', async () => {
    const runs = new ScriptedRuns()
    const { script, device } = await scripted('STOP_COPY', runs.give)
    const copying = device.savingStream.copyTo(await openFile('/dev/null', 'w'))
    ;(await runs.next()).answer({ bytes: 9, arc: script.arc })
    assert.deepEqual(await copying, { bytes: 9, pause: 'end' })
  })
})
