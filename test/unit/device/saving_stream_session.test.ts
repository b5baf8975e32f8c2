// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '#lib/device/open.js'
import { ScriptedDevice } from './scripted_device.js'
import { feed, saving } from './scripted_saving.js'

describe('relayTo()', () => {
  async function toAnother(answer: number) {
    const { script, stream } = await saving('STOP_COPY')
    const other = new ScriptedDevice()
    const device = await openDevice(other)
    await device.setState('RESUMING')
    const relayed: unknown[] = []
    Object.assign(script.session, { relayTo: (to: unknown) => (relayed.push(to), answer) })
    return { script, stream, other, destination: device.resumingStream, relayed }
  }

  it('joins the two sessions before the first read, and not after it', async () => {
    const { script, stream, other, destination, relayed } = await toAnother(0)
    assert.equal(stream.relayTo(destination), true)
    assert.deepEqual(relayed, [other.session])
    const reading = stream.chunks().next()
    ;(await script.session.nextRead()).answer(3, script.arc, 'one')
    await reading
    assert.equal(stream.relayTo(destination), false)
    assert.equal(relayed.length, 1)
  })

  it('is false where the backend cannot', async () => {
    const { stream, destination } = await toAnother(-22)
    assert.equal(stream.relayTo(destination), false)
    const { stream: plain } = await saving('STOP_COPY')
    assert.equal(plain.relayTo(destination), false)
  })
})

describe('digest', () => {
  it('is what the session says that all it has read comes to, where it was to sum before the first read', async () => {
    const { script, stream } = await saving('STOP_COPY')
    Object.assign(script.session, { summarize: () => script.log.push('summarize'), sum: 'crc32:fedcba98' })
    assert.equal(stream.digest, undefined)
    assert.equal(stream.summarize(), true)
    const feeding = feed(script)
    for await (const chunk of stream.chunksToRelease('end')) stream.release(chunk)
    await feeding
    assert.equal(stream.summarize(), true)
    assert.equal(stream.digest, 'crc32:fedcba98')
    assert.equal(script.log.filter(call => call === 'summarize').length, 1)
  })

  it('is nothing where nobody sums, or was told to too late', async () => {
    const { script, stream } = await saving('STOP_COPY')
    assert.equal(stream.summarize(), false)
    const feeding = feed(script)
    for await (const chunk of stream.chunksToRelease('end')) stream.release(chunk)
    await feeding
    Object.assign(script.session, { summarize: () => assert.fail('it does not know'), sum: 'crc32:00000001' })
    assert.equal(stream.summarize(), false)
    assert.equal(stream.digest, undefined)
  })
})
