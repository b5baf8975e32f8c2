// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { monotonicClock as clock } from '#lib/clock.js'
import type { Device } from '#lib/device/device.js'
import { openDevice } from '#lib/device/open.js'
import { kernel } from './kernel.js'
import { file, openFile, pipe, pipeBytes, pumped, takeFrom } from './pump_ends.js'
import { expected, header, headers, mebibyte } from './pump_sessions.js'
import { open } from './scenario.js'
import { hash, pattern, taken } from './taken.js'

describe('pump() of a device over the addon', () => {
  async function openOver(): Promise<Device> {
    const calls = await open()
    return await openDevice({ name: 'vf', driver: undefined, origin: 'opened', via: 'cdev', clock, calls })
  }

  pumped('saves a device from its first byte to its last, and reads nothing ahead in between', async () => {
    const device = await openOver()
    kernel.set(0, { image: mebibyte })
    const fd = openFile(file('state'), 'w')
    await device.setState('PRE_COPY')
    const first = await device.savingStream.pump(fd, { until: 'idle' })
    assert.deepEqual(first, { bytes: headers + mebibyte, pause: 'idle' })
    kernel.set(0, { dirty: 1000 })
    await device.precopyInfo()
    for (let i = 0; i < 10; i++) await turn()
    assert.equal(device.savingStream.bufferedBytes, 0, 'nobody reads ahead')
    const second = await device.savingStream.pump(fd, { until: 'idle' })
    assert.deepEqual(second, { bytes: header + 1000, pause: 'idle' })
    await device.setState('STOP_COPY')
    const third = await device.savingStream.pump(fd)
    assert.equal(third.pause, 'end')
    const total = first.bytes + second.bytes + third.bytes
    assert.equal(device.savingStream.bytesRead, total)
    assert.equal(readFileSync(file('state')).length, total)
    await device.close()
  })

  pumped('loses nothing when it is aborted in a full pipe, and goes on into a file', async () => {
    const device = await openOver()
    kernel.set(0, { image: 300_000 })
    await device.setState('STOP_COPY')
    const { reader, writer } = pipe()
    const { savingStream } = device
    const controller = new AbortController()
    const pumping = savingStream.pump(writer, { signal: controller.signal })
    while (savingStream.bytesRead - savingStream.bufferedBytes < pipeBytes) await turn()
    controller.abort()
    await assert.rejects(pumping, { name: 'AbortError' })
    const { pause } = await savingStream.pump(openFile(file('state'), 'w'))
    assert.equal(pause, 'end')
    const whole = Buffer.concat([takeFrom(reader), readFileSync(file('state'))])
    assert.ok(whole.equals(await expected(300_000)))
    await device.close()
  })

  pumped('brings what was read ahead first', async () => {
    const device = await openOver()
    kernel.set(0, { image: 8 * mebibyte })
    await device.setState('STOP_COPY')
    const chunks = device.savingStream.chunks()
    const { value } = await chunks.next()
    const first = Buffer.from(value as Uint8Array)
    await chunks.return('idle')
    await device.savingStream.copyTo(openFile(file('state'), 'w'))
    assert.ok(Buffer.concat([first, readFileSync(file('state'))]).equals(await expected(8 * mebibyte)))
    await device.close()
  })

  pumped('is told as an ended session when the device is closed meanwhile', async () => {
    const device = await openOver()
    kernel.set(0, { autosave: false })
    await device.setState('STOP_COPY')
    const pumping = device.savingStream.pump(openFile('/dev/null', 'w'))
    kernel.waitFor('poll saving')
    await Promise.all([device.close(), assert.rejects(pumping, { code: 'ERR_VFIO_SESSION_ENDED' })])
  })

  pumped('loads a file, and the device leaves RESUMING with it', async () => {
    const device = await openOver()
    const state = pattern(3 * mebibyte)
    writeFileSync(file('state'), state)
    await device.setState('RESUMING')
    const { resumingStream } = device
    const loaded = await resumingStream.pump(openFile(file('state'), 'r'))
    assert.deepEqual(loaded, { bytes: state.length, pause: 'end' })
    assert.deepEqual(taken(), [state.length, hash(state)])
    resumingStream.end()
    await device.setState('STOP')
    await device.close()
  })
})
