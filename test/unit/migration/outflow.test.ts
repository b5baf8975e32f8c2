// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { VirtualClock } from 'vfio-migrate/mock'
import { inProcessLink } from '#lib/link/in_process.js'
import { Outflow } from '#lib/migration/outflow.js'
import { Throttle } from '#lib/migration/throttle.js'
import { maxDataBytes, windowBytes, type DestinationMessage, type SourceMessage } from '#lib/wire/message.js'
import { isSettled } from './settled.js'

function outflow(driver?: string, bandwidth?: number) {
  const [link, other] = inProcessLink<SourceMessage, DestinationMessage>()
  const clock = new VirtualClock()
  const loaded: number[] = []
  const flow = new Outflow(
    3,
    { name: 'vf0', driver, clock },
    { link, throttle: new Throttle(clock, bandwidth), onLoaded: bytes => loaded.push(bytes) },
  )
  return { flow, other, loaded, clock }
}

describe('Outflow', () => {
  it('sends the bytes of its member in their order, counted and summed', async () => {
    const { flow, other } = outflow()
    for (const part of ['one', 'two', 'three']) await flow.send(Buffer.from(part))
    await flow.end()
    const sum = 'crc32:09e1c092'
    const messages = [other.receive(), other.receive(), other.receive(), other.receive()]
    assert.deepEqual(await Promise.all(messages), [
      { kind: 'data', member: 3, bytes: Buffer.from('one') },
      { kind: 'data', member: 3, bytes: Buffer.from('two') },
      { kind: 'data', member: 3, bytes: Buffer.from('three') },
      { kind: 'end', member: 3, bytes: 11, digest: sum },
    ])
    assert.deepEqual([flow.bytes, flow.digest], [11, sum])
  })

  it('sends the word for a chunk that is needed no more along with it, and does not say it', async () => {
    const { flow, other } = outflow()
    const release = (): never => assert.fail('it is needed')
    await flow.send(Buffer.from('one'), { release })
    assert.deepEqual(await other.receive(), { kind: 'data', member: 3, bytes: Buffer.from('one'), release })
  })

  it('sums nothing that is summed by who has read it, and tells their sum at the end', async () => {
    const { flow, other } = outflow()
    await flow.send(Buffer.from('one'), { isSummed: true })
    assert.equal(flow.digest, undefined)
    await other.receive()
    await flow.end('crc32:12345678')
    assert.deepEqual(await other.receive(), { kind: 'end', member: 3, bytes: 3, digest: 'crc32:12345678' })
    assert.equal(flow.digest, 'crc32:12345678')
  })

  it('has no more under way than the other side takes, and goes on when that is loaded', async () => {
    const { flow, loaded } = outflow()
    const chunk = new Uint8Array(maxDataBytes)
    let waiting = flow.send(chunk)
    while (await isSettled(waiting)) {
      assert.ok(flow.bytes <= windowBytes, `${flow.bytes} under way`)
      waiting = flow.send(chunk)
    }
    const { bytes } = flow
    flow.acknowledge(chunk.length - 1)
    assert.equal(await isSettled(waiting), false)
    flow.acknowledge(chunk.length)
    await waiting
    assert.deepEqual([flow.bytes, loaded], [bytes + chunk.length, [chunk.length - 1, chunk.length]])
  })

  it('is all loaded when the destination says so of the last byte', async () => {
    const { flow } = outflow()
    await flow.allLoaded()
    await flow.send(Buffer.from('state'))
    const loaded = flow.allLoaded()
    flow.acknowledge(4)
    assert.equal(await isSettled(loaded), false)
    flow.acknowledge(5)
    await loaded
  })

  it('goes no faster than the link may be used', async () => {
    const { flow, clock } = outflow(undefined, 1000)
    await flow.send(new Uint8Array(250))
    await flow.send(new Uint8Array(250))
    assert.equal(clock.now(), 500)
  })

  it('does not end with what is no whole state by its framing: nothing is said of an end', async () => {
    const { flow, other } = outflow('mlx5_vfio_pci')
    await flow.send(new Uint8Array(15))
    await assert.rejects(flow.end(), { code: 'ERR_VFIO_INCOMPLETE', device: 'vf0' })
    assert.equal((await other.receive()).kind, 'data')
    assert.equal(await isSettled(other.receive()), false)
  })

  it('rejects whoever waits for the destination when that has gone', async () => {
    const { flow } = outflow()
    await flow.send(new Uint8Array(2 * maxDataBytes))
    const [sending, loading] = [flow.send(new Uint8Array(1)), flow.allLoaded()]
    flow.fail(new Error('gone'))
    await assert.rejects(sending, { message: 'gone' })
    await assert.rejects(loading, { message: 'gone' })
  })
})
