// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough, Readable, Writable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { openDevice } from '#lib/device/open.js'
import { ScriptedDevice } from './scripted_device.js'

describe('copyTo()', () => {
  let dir: string
  let script: ScriptedDevice

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'copy-to-'))
    script = new ScriptedDevice()
  })
  afterEach(async () => await rm(dir, { recursive: true }))

  async function feed(): Promise<void> {
    ;(await script.session.nextRead()).answer(5, script.arc, 'state')
    ;(await script.session.nextRead()).answer(0, script.arc)
  }

  it('writes everything to an fd', async () => {
    const device = await openDevice(script)
    await device.setState('STOP_COPY')
    const file = await open(join(dir, 'state'), 'w')
    const [copied] = await Promise.all([device.savingStream.copyTo(file.fd), feed()])
    await file.close()
    assert.deepEqual(copied, { bytes: 5, pause: 'end' })
    assert.equal(await readFile(join(dir, 'state'), 'utf8'), 'state')
  })

  it('writes everything to a file stream and leaves it open', async () => {
    const device = await openDevice(script)
    await device.setState('STOP_COPY')
    const sink = createWriteStream(join(dir, 'state'))
    const [copied] = await Promise.all([device.savingStream.copyTo(sink), feed()])
    assert.deepEqual(copied, { bytes: 5, pause: 'end' })
    assert.equal(sink.writableEnded, false)
    sink.end(' and more')
    await once(sink, 'finish')
    assert.equal(await readFile(join(dir, 'state'), 'utf8'), 'state and more')
  })

  it('writes everything to a socket', async () => {
    const device = await openDevice(script)
    await device.setState('STOP_COPY')
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const [peer] = (await once(server, 'connection')) as [NodeJS.ReadableStream]
    const [copied] = await Promise.all([device.savingStream.copyTo(client), feed()])
    client.end()
    let text = ''
    for await (const chunk of peer) text += String(chunk)
    server.close()
    assert.deepEqual(copied, { bytes: 5, pause: 'end' })
    assert.equal(text, 'state')
  })

  for (const [name, sink] of Object.entries({
    'a PassThrough': new PassThrough(),
    'a Transform': createGzip(),
    'a Writable': new Writable(),
    'a Readable': new Readable(),
    'a pair of streams in one': new Duplex(),
    'a WritableStream of the web': new WritableStream(),
    'an object with a write()': { write: () => true },
    'a path': '/dev/null',
    nothing: undefined,
  })) {
    it(`refuses ${name}, and names pipeline`, async () => {
      const device = await openDevice(script)
      await device.setState('STOP_COPY')
      await assert.rejects(device.savingStream.copyTo(sink as never), {
        name: 'TypeError',
        message: /net\.Socket, .*tls\.TLSSocket, .*fs\.WriteStream .*fd; .*pipeline\(\)/,
      })
      assert.equal(script.session.reads.length, 0)
    })
  }

  it('refuses a sink that calls back before its bytes are consumed, and names pipeline', async () => {
    const device = await openDevice(script)
    await device.setState('PRE_COPY')
    await assert.rejects(device.savingStream.copyTo(new PassThrough() as never), {
      name: 'TypeError',
      message: /pipeline/,
    })
  })

  it('rejects with the error of the sink and leaves the stream alone', async () => {
    const device = await openDevice(script)
    await device.setState('STOP_COPY')
    const file = await open('/dev/full', 'w')
    const feeding = feed()
    await assert.rejects(device.savingStream.copyTo(file.fd), { code: 'ENOSPC' })
    await feeding
    await file.close()
    assert.equal(device.savingStream.destroyed, false)
    assert.equal(device.savingStream.listenerCount('readable'), 0)
  })
})
