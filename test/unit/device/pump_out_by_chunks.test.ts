// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { openDevice } from '#lib/device/open.js'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { scripted } from './scripted_opening.js'
import { settle } from './scripted_runs.js'
import { temporaryFiles } from './temporary_files.js'

describe('pump() of a saving stream whose backend has no copy loop', () => {
  const { openFile, textOf } = temporaryFiles()

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

  it('gives back a copy to who reads the Readable, and the memory to the next read', async () => {
    const { script, device, session } = await scripted('STOP_COPY')
    const { savingStream } = device
    const pumping = savingStream.pump(await openFile('/dev/full', 'w'))
    ;(await session.nextRead()).answer(5, script.arc, 'state')
    await assert.rejects(pumping, { code: 'ENOSPC' })
    assert.deepEqual(session.released, [])
    await once(savingStream, 'readable')
    assert.equal(String(savingStream.read()), 'state')
    assert.deepEqual(session.released, ['state'])
    await device.close()
  })

  it('leaves to a listener of data what it has had, though it was given back and read by another', async () => {
    const { script, device, session } = await scripted('STOP_COPY')
    const { savingStream } = device
    const pumping = savingStream.pump(await openFile('/dev/full', 'w'))
    const heard: Buffer[] = []
    savingStream.once('data', (chunk: Buffer) => heard.push(chunk))
    ;(await session.nextRead()).answer(5, script.arc, 'state')
    await assert.rejects(pumping, { code: 'ENOSPC' })
    const loop = savingStream.chunks()
    assert.equal(String((await loop.next()).value), 'state')
    const end = loop.next()
    ;(await session.nextRead()).answer(0, script.arc)
    assert.deepEqual(await end, { done: true, value: 'end' })
    assert.deepEqual([heard.map(String), session.released], [['state'], []])
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
