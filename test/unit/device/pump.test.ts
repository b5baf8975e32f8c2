// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VfioError, VfioSystemError } from '#lib/errors.js'
import type { Device } from '#lib/device/device.js'
import { openDevice } from '#lib/device/open.js'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { gate, ScriptedDevice, type ScriptedSession } from './scripted_device.js'
import { ScriptedRuns, settle } from './scripted_runs.js'

const ECANCELED = -125
const ENODEV = -19
const ENOMSG = -42
const ENOSPC = -28

let directory: string
let files: FileHandle[]

const path = (name: string): string => join(directory, name)
const textOf = (name: string): Promise<string> => readFile(path(name), 'utf8')

async function openFile(name: string, flags: string): Promise<number> {
  const file = await open(name.startsWith('/') ? name : path(name), flags)
  files.push(file)
  return file.fd
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pump-'))
  files = []
})
afterEach(async () => {
  await Promise.all(files.map(file => file.close()))
  await rm(directory, { recursive: true })
})

async function scripted(
  state: 'PRE_COPY' | 'STOP_COPY' | 'RESUMING',
  onSession?: (session: ScriptedSession) => void,
): Promise<{ script: ScriptedDevice; device: Device; session: ScriptedSession }> {
  const script = new ScriptedDevice()
  script.onSession = onSession
  const device = await openDevice(script)
  await device.setState(state)
  return { script, device, session: script.session }
}

describe('pump() of a saving stream whose backend has a copy loop', () => {
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

describe('pump() of a saving stream whose backend has no copy loop', () => {
  it('gives the same', async () => {
    const { script, device, session } = await scripted('STOP_COPY')
    const pumping = device.savingStream.pump(await openFile('state', 'w'))
    ;(await session.nextRead()).answer(5, script.arc, 'state')
    ;(await session.nextRead()).answer(0, script.arc)
    assert.deepEqual(await pumping, { bytes: 5, pause: 'end' })
    assert.equal(await textOf('state'), 'state')
    assert.deepEqual(session.released, ['state'])
  })

  it('stops at a number of bytes, and leaves the others to who reads next', async () => {
    const { script, device, session } = await scripted('STOP_COPY')
    const { savingStream } = device
    const pumping = savingStream.pump(await openFile('state', 'w'), { maxBytes: 2 })
    ;(await session.nextRead()).answer(5, script.arc, 'state')
    assert.deepEqual(await pumping, { bytes: 2, pause: 'limit' })
    const again = savingStream.pump(await openFile('rest', 'w'))
    ;(await session.nextRead()).answer(0, script.arc)
    assert.deepEqual(await again, { bytes: 3, pause: 'end' })
    assert.deepEqual([await textOf('state'), await textOf('rest')], ['st', 'ate'])
  })

  it('gives back what an fd did not take, and is rejected with its errno', async () => {
    const { script, device, session } = await scripted('STOP_COPY')
    const { savingStream } = device
    const pumping = savingStream.pump(await openFile('/dev/full', 'w'))
    ;(await session.nextRead()).answer(5, script.arc, 'state')
    await assert.rejects(pumping, { code: 'ENOSPC', syscall: 'write' })
    const again = savingStream.pump(await openFile('state', 'w'))
    ;(await session.nextRead()).answer(0, script.arc)
    await again
    assert.equal(await textOf('state'), 'state')
  })

  it('is aborted while it waits for the device', async () => {
    const { script, device, session } = await scripted('STOP_COPY')
    const { savingStream } = device
    const controller = new AbortController()
    const pumping = savingStream.pump(await openFile('state', 'w'), { signal: controller.signal })
    const read = await session.nextRead()
    controller.abort()
    await assert.rejects(pumping, { name: 'AbortError' })
    read.answer(5, script.arc, 'state')
    const again = savingStream.pump(await openFile('state', 'w'))
    ;(await session.nextRead()).answer(0, script.arc)
    assert.deepEqual(await again, { bytes: 5, pause: 'end' })
  })

  it('keeps its rate on the clock of the device', async () => {
    const clock = new VirtualClock()
    const device = await openDevice(new MockDevice({ flavour: 'mlx5', clock, size: 300 * 1024 }))
    await device.setState('STOP_COPY')
    const begun = clock.now()
    const fd = await openFile('state', 'w')
    const { bytes, pause } = await device.savingStream.pump(fd, { bytesPerSecond: 100_000 })
    const ms = clock.now() - begun
    assert.equal(pause, 'end')
    assert.ok(bytes > 300_000)
    // The last piece is not waited for.
    const least = ((bytes - 10_000) / 100_000) * 1000
    assert.ok(ms >= least && ms < least + 200, `${ms} ms for ${bytes} bytes`)
    await device.close()
  })

  it('is aborted while it waits for its time', async () => {
    const { script, device, session } = await scripted('STOP_COPY')
    const controller = new AbortController()
    const pumping = device.savingStream.pump(await openFile('state', 'w'), {
      bytesPerSecond: 10,
      signal: controller.signal,
    })
    ;(await session.nextRead()).answer(5, script.arc, 'state')
    while ((await textOf('state')) === '') await settle()
    controller.abort()
    await assert.rejects(pumping, { name: 'AbortError' })
    assert.equal(await textOf('state'), 's')
    assert.equal(device.savingStream.bufferedBytes, 4)
  })
})

describe('pump() beside others', () => {
  for (const give of [undefined, new ScriptedRuns().give]) {
    const whose = give ? 'a backend with a copy loop' : 'a backend without one'
    it(`refuses a second reader, over ${whose}`, async () => {
      const { device } = await scripted('STOP_COPY', give)
      const { savingStream } = device
      const fd = await openFile('/dev/null', 'w')
      const pumping = savingStream.pump(fd)
      await assert.rejects(savingStream.pump(fd), { code: 'ERR_VFIO_BUSY' })
      await assert.rejects(savingStream.copyTo(fd), { code: 'ERR_VFIO_BUSY' })
      await assert.rejects(savingStream.chunks().next(), { code: 'ERR_VFIO_BUSY' })
      savingStream.destroy()
      await assert.rejects(pumping, VfioError)
    })

    it(`is refused beside another reader, over ${whose}`, async () => {
      const { device } = await scripted('STOP_COPY', give)
      const { savingStream } = device
      const fd = await openFile('/dev/null', 'w')
      const chunks = savingStream.chunks()
      const first = chunks.next()
      await assert.rejects(savingStream.pump(fd), { code: 'ERR_VFIO_BUSY' })
      savingStream.destroy()
      await assert.rejects(first, VfioError)
      const { device: other } = await scripted('STOP_COPY', give)
      other.savingStream.on('data', () => undefined)
      await assert.rejects(other.savingStream.pump(fd), { code: 'ERR_VFIO_BUSY' })
    })
  }

  it('has who reads the Readable meanwhile wait until it is over', async () => {
    const runs = new ScriptedRuns()
    const { script, device, session } = await scripted('PRE_COPY', runs.give)
    const { savingStream } = device
    const pumping = savingStream.pump(await openFile('/dev/null', 'w'), { until: 'idle' })
    const run = await runs.next()
    const parts: string[] = []
    savingStream.on('data', (chunk: Buffer) => parts.push(String(chunk)))
    await settle()
    assert.equal(session.reads.length, 0)
    run.answer({ result: ENOMSG, arc: script.arc })
    await pumping
    await device.setState('STOP_COPY')
    ;(await session.nextRead()).answer(3, script.arc, 'abc')
    ;(await session.nextRead()).answer(0, script.arc)
    await settle()
    assert.deepEqual(parts, ['abc'])
  })
})

describe('what pump() is given', () => {
  for (const [name, value, Kind] of [
    ['maxBytes', '1', TypeError],
    ['maxBytes', 0, RangeError],
    ['maxBytes', 1.5, RangeError],
    ['maxBytes', Infinity, RangeError],
    ['bytesPerSecond', null, TypeError],
    ['bytesPerSecond', 0, RangeError],
    ['bytesPerSecond', NaN, RangeError],
    ['signal', {}, TypeError],
    ['until', 'limit', TypeError],
  ] as const) {
    it(`is refused by name where it is wrong: ${name} ${JSON.stringify(value)}`, async () => {
      const { device, session } = await scripted('STOP_COPY')
      const options = { [name]: value } as object
      const isRight = (error: Error): boolean => error instanceof Kind && error.message.startsWith(name)
      await assert.rejects(device.savingStream.pump(1, options), isRight)
      assert.equal(session.reads.length, 0)
      if (name === 'until') return
      const { device: other } = await scripted('RESUMING')
      await assert.rejects(other.resumingStream.pump(0, options), isRight)
    })
  }

  it('is an fd, and options where there are any', async () => {
    const { device } = await scripted('STOP_COPY')
    const pump = device.savingStream.pump.bind(device.savingStream) as (
      ...values: unknown[]
    ) => Promise<unknown>
    await assert.rejects(pump('1'), { name: 'TypeError', message: /^fd must be a number, not string/ })
    await assert.rejects(pump(-1), { name: 'RangeError', message: /^fd must be a whole number from 0/ })
    await assert.rejects(pump(1, null), {
      name: 'TypeError',
      message: /^options must be an object, not null/,
    })
    await assert.rejects(pump(1, 7), { name: 'TypeError', message: /^options must be an object, not number/ })
  })
})

describe('pump() of a resuming stream whose backend has a copy loop', () => {
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
    await assert.rejects(device.resumingStream.pump(await openFile(directory, 'r')), { code: 'EISDIR' })
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
