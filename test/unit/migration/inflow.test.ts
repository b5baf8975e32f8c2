// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { Inflow } from '#lib/migration/inflow.js'
import { maxDataBytes, windowBytes } from '#lib/wire/message.js'
import { gate, ScriptedDevice } from '../device/scripted_device.js'
import { isSettled } from './settled.js'

/** A device in RESUMING, and what is told of what it takes. */
async function inflow() {
  const script = new ScriptedDevice('vf0')
  const device = await openDevice(script)
  await device.setState('RESUMING')
  const loaded: number[] = []
  const failures: unknown[] = []
  const flow = new Inflow(device, {
    onLoaded: async bytes => {
      loaded.push(bytes)
      await Promise.resolve()
    },
    onFailure: error => failures.push(error),
  })
  return { flow, script, loaded, failures }
}

const sumOf = (bytes: Uint8Array | string): string => `crc32:${crc32(bytes).toString(16).padStart(8, '0')}`
const end = (text: string): { bytes: number; digest: string } => ({ bytes: text.length, digest: sumOf(text) })

describe('Inflow', () => {
  it('writes what comes in its order, and tells after each write how much was taken in all', async () => {
    const { flow, script, loaded, failures } = await inflow()
    for (const part of ['one', 'two', 'three']) flow.push(Buffer.from(part))
    await flow.end(end('onetwothree'))
    assert.equal(Buffer.concat(script.session.written).toString(), 'onetwothree')
    assert.deepEqual([loaded, failures], [[3, 6, 11], []])
    assert.deepEqual([flow.bytes, flow.digest], [11, 'crc32:09e1c092'])
  })

  it('does not tell of bytes, or of the end, before the write of them has returned', async () => {
    const { flow, script, loaded } = await inflow()
    const { promise, open } = gate<number>()
    script.session.writeAnswer = () => promise
    flow.push(Buffer.from('state'))
    const ended = flow.end(end('state'))
    assert.equal(await isSettled(ended), false)
    assert.deepEqual(loaded, [])
    open(5)
    await ended
    assert.deepEqual(loaded, [5])
  })

  it('tells when it needs a chunk no more: when the write of it has returned', async () => {
    const { flow, script } = await inflow()
    const { promise, open } = gate<number>()
    script.session.writeAnswer = () => promise
    let isNeeded = true
    flow.push(Buffer.from('state'), () => (isNeeded = false))
    const ended = flow.end(end('state'))
    assert.deepEqual([await isSettled(ended), isNeeded], [false, true])
    open(5)
    await ended
    assert.equal(isNeeded, false)
  })

  it('keeps as much as the window, and refuses a byte more', async () => {
    const { flow, script } = await inflow()
    script.session.writeAnswer = () => new Promise(() => undefined)
    for (let bytes = 0; bytes < windowBytes; bytes += maxDataBytes) flow.push(new Uint8Array(maxDataBytes))
    assert.throws(() => flow.push(new Uint8Array(1)), { code: 'ERR_VFIO_PROTOCOL', message: /'vf0'/ })
  })

  it('has room again for what was written', async () => {
    const { flow, script } = await inflow()
    const { promise, open } = gate<number>()
    script.session.writeAnswer = length => (length === 1 ? promise : length)
    flow.push(new Uint8Array(1))
    flow.push(new Uint8Array(windowBytes - 1))
    open(1)
    while (flow.bytes < windowBytes) await isSettled(promise)
    flow.push(new Uint8Array(windowBytes))
  })

  for (const [what, other] of [
    ['another count', { bytes: 4, digest: sumOf('state') }],
    ['another sum', { bytes: 5, digest: sumOf('STATE') }],
  ] as const) {
    it(`does not end well with ${what} than the source gave`, async () => {
      const { flow } = await inflow()
      flow.push(Buffer.from('state'))
      await assert.rejects(flow.end(other), { code: 'ERR_VFIO_INCOMPLETE', device: 'vf0' })
    })
  }

  it('believes who has written rather than what was to be written', async () => {
    const { flow, script } = await inflow()
    script.session.sum = sumOf('STATE')
    flow.push(Buffer.from('state'))
    await assert.rejects(flow.end(end('state')), { code: 'ERR_VFIO_INCOMPLETE' })
    assert.equal(flow.digest, sumOf('STATE'))
    await flow.end({ bytes: 5, digest: sumOf('STATE') })
  })

  it('does not end well with nothing', async () => {
    const { flow } = await inflow()
    await assert.rejects(flow.end(end('')), { code: 'ERR_VFIO_INCOMPLETE' })
  })

  it('does not end well within a record of its driver, though count and sum are right', async () => {
    const clock = new VirtualClock()
    await using device = await openDevice(new MockDevice({ clock }))
    await device.setState('RESUMING')
    const flow = new Inflow(device, { onLoaded: () => Promise.resolve(), onFailure: () => undefined })
    // The head of a record of mlx5 has 16 bytes.
    const head = new Uint8Array(15)
    flow.push(head)
    await assert.rejects(flow.end({ bytes: 15, digest: sumOf(head) }), { code: 'ERR_VFIO_INCOMPLETE' })
  })

  it('gives the device four chunks before it has taken the first, and another for each that it takes', async () => {
    const { flow, script, loaded } = await inflow()
    const gates = Array.from({ length: 6 }, () => gate<number>())
    let writes = 0
    script.session.writeAnswer = () => (gates[writes++] as { promise: Promise<number> }).promise
    for (const part of ['1', '2', '3', '4', '5', '6']) flow.push(Buffer.from(part))
    const ended = flow.end(end('123456'))
    assert.deepEqual([await isSettled(ended), writes], [false, 4])
    gates[0]?.open(1)
    assert.deepEqual([await isSettled(ended), writes, loaded], [false, 5, [1]])
    for (const { open } of gates) open(1)
    await ended
    assert.deepEqual([Buffer.concat(script.session.written).toString(), loaded.length], ['123456', 6])
  })

  it('gives the device nothing more once a write has failed, tells of it, and does not end', async () => {
    const { flow, script, loaded, failures } = await inflow()
    let writes = 0
    // As the addon does: behind a failure no write is made.
    script.session.writeAnswer = () => (writes++ === 0 ? -22 : -19)
    for (const part of ['b', 'a', 'd', 'r', 'est']) flow.push(Buffer.from(part))
    await assert.rejects(flow.end(end('badrest')), { code: 'EINVAL' })
    flow.push(Buffer.from('more'))
    assert.equal(writes, 4)
    assert.deepEqual([loaded, failures.map(error => (error as NodeJS.ErrnoException).code)], [[], ['EINVAL']])
  })

  it('lets go of whoever waits for the end when it is stopped', async () => {
    const { flow, script } = await inflow()
    script.session.writeAnswer = () => gate<number>().promise
    flow.push(Buffer.from('one'))
    flow.push(Buffer.from('two'))
    const ended = flow.end({ bytes: 6, digest: sumOf('onetwo') })
    assert.equal(await isSettled(ended), false)
    flow.stop()
    await ended
  })

  it('gives the device nothing more when it is stopped', async () => {
    const { flow, script, loaded } = await inflow()
    const { promise, open } = gate<number>()
    script.session.writeAnswer = () => promise
    for (const part of ['one', 'two', 'six', 'ten', 'all']) flow.push(Buffer.from(part))
    flow.stop()
    open(3)
    assert.equal(await isSettled(promise), true)
    const writes = script.log.filter(entry => entry.startsWith('write')).length
    assert.deepEqual([writes, loaded], [4, [3, 6, 9, 12]])
  })
})
