// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { openDevice } from '#lib/device/open.js'
import type { Device } from '#lib/device/device.js'
import type { SavingStream } from '#lib/device/saving_stream.js'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { gate, ScriptedDevice, type ScriptedRead } from './scripted_device.js'

const ENOMSG = -42
const ENODEV = -19

async function saving(
  state: 'PRE_COPY' | 'STOP_COPY',
): Promise<{ script: ScriptedDevice; device: Device; stream: SavingStream }> {
  const script = new ScriptedDevice()
  const device = await openDevice(script)
  await device.setState(state)
  return { script, device, stream: device.savingStream }
}

/** Collects what a consumer of 'data' gets. */
function collect(stream: SavingStream): { text: () => string } {
  const parts: Buffer[] = []
  stream.on('data', (chunk: Buffer) => parts.push(chunk))
  return { text: () => Buffer.concat(parts).toString() }
}

describe('the saving stream', () => {
  it('reads nothing before the first demand', async () => {
    const { script, stream } = await saving('PRE_COPY')
    assert.equal(script.session.reads.length, 0)
    stream.read()
    assert.equal(script.session.reads.length, 1)
  })

  it('ends at a 0 that was read after the kernel had answered STOP_COPY', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const taken = collect(stream)
    ;(await script.session.nextRead()).answer(3, script.arc, 'abc')
    ;(await script.session.nextRead()).answer(0, script.arc)
    await once(stream, 'end')
    assert.equal(taken.text(), 'abc')
    assert.equal(stream.bytesRead, 3)
  })

  for (const [name, answer] of [
    ['ENOMSG', ENOMSG],
    ['0', 0],
  ] as const) {
    it(`takes ${name} in PRE_COPY for idle, and reads on when precopy info was asked`, async () => {
      const { script, device, stream } = await saving('PRE_COPY')
      const taken = collect(stream)
      ;(await script.session.nextRead()).answer(2, script.arc, 'ab')
      ;(await script.session.nextRead()).answer(answer, script.arc)
      assert.equal(await stream.idle(), 'idle')
      assert.equal(script.session.reads.length, 0, 'an idle stream asks no more')
      script.session.info = { result: 0, initialBytes: 0, dirtyBytes: 2, flags: 0 }
      assert.deepEqual(await device.precopyInfo(), {
        initialBytes: 0,
        dirtyBytes: 2,
        bufferedBytes: 0,
        reinit: false,
      })
      const read = await script.session.nextRead()
      assert.equal(read.waitMs, 10_000, 'an image that was announced is waited for')
      read.answer(2, script.arc, 'cd')
      const next = await script.session.nextRead()
      assert.equal(next.waitMs, 0, 'it has come: nothing more is waited for')
      next.answer(answer, script.arc)
      assert.equal(await stream.idle(), 'idle')
      assert.equal(taken.text(), 'abcd')
    })
  }

  it('gets every byte when a 0 that was read before STOP_COPY is delivered after it', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    const taken = collect(stream)
    const before = script.arc
    const late = await script.session.nextRead()
    await device.setState('STOP_COPY')
    late.answer(0, before)
    ;(await script.session.nextRead()).answer(3, script.arc, 'end')
    ;(await script.session.nextRead()).answer(0, script.arc)
    await once(stream, 'end')
    assert.equal(taken.text(), 'end')
  })

  it('asks once more when the 0 of STOP_COPY is delivered before the answer of the SET', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    collect(stream)
    const early = await script.session.nextRead()
    early.answer(0, script.arc + 2)
    assert.equal(await stream.idle(), 'idle')
    await device.setState('STOP_COPY')
    ;(await script.session.nextRead()).answer(0, script.arc)
    assert.equal(await stream.idle(), 'end')
  })

  it('is not idle while the consumer has bytes to take', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    stream.read()
    ;(await script.session.nextRead()).answer(4, script.arc, 'abcd')
    ;(await script.session.nextRead()).answer(ENOMSG, script.arc)
    const idle = stream.idle()
    assert.equal((await device.precopyInfo()).bufferedBytes, 4)
    ;(await script.session.nextRead()).answer(ENOMSG, script.arc)
    assert.equal((stream.read() as Buffer).toString(), 'abcd')
    assert.equal(await idle, 'idle')
  })

  it('ends no process when its session ends while a loop has a chunk, and the loop is left then', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    const chunks = stream.chunks()
    const first = chunks.next()
    ;(await script.session.nextRead()).answer(1, script.arc, 'a')
    await first
    const { promise: closed, open: close } = gate<undefined>()
    script.session.close = () => closed
    const reset = device.reset()
    await new Promise(resolve => setImmediate(resolve))
    await chunks.return('idle')
    close(undefined)
    await reset
    await new Promise(resolve => setImmediate(resolve))
    await assert.rejects(stream.idle(), { code: 'ERR_VFIO_SESSION_ENDED' })
  })

  it('fails with the errno of a read', async () => {
    const { script, stream } = await saving('PRE_COPY')
    collect(stream)
    const failure = once(stream, 'error')
    ;(await script.session.nextRead()).answer(ENODEV, script.arc)
    const [error] = (await failure) as [NodeJS.ErrnoException]
    assert.deepEqual([error.code, error.errno, error.syscall], ['ENODEV', ENODEV, 'read'])
    await assert.rejects(stream.idle(), { code: 'ENODEV' })
    assert.equal(script.session.closed, true)
  })
})

describe('an image that was announced and does not come', () => {
  /** In PRE_COPY with all read, a page dirty, and a firmware that will give up the image of it (status 9). */
  async function drained(): Promise<{ device: Device; stream: SavingStream; clock: VirtualClock }> {
    const clock = new VirtualClock()
    const mock = new MockDevice({ flavour: 'mlx5', clock, faults: [{ on: 'SAVE', nth: 2, status: 9 }] })
    const device = await openDevice(mock)
    await device.setState('PRE_COPY')
    const stream = device.savingStream.resume()
    assert.equal(await stream.idle(), 'idle')
    mock.step()
    return { device, stream, clock }
  }

  for (const [title, options, expected] of [
    ['for 10 s', undefined, 10_000],
    ['no longer than told', { waitMs: 250 }, 250],
    ['not at all when told so', { waitMs: 0 }, 0],
  ] as const) {
    it(`holds a read up ${title}`, async () => {
      const { device, stream, clock } = await drained()
      assert.ok((await device.precopyInfo(options)).dirtyBytes > 0)
      const asked = clock.now()
      assert.equal(await stream.idle(), 'idle')
      assert.equal(clock.now() - asked, expected)
      await device.close()
    })
  }

  it('is given a span of time only', async () => {
    const { device } = await drained()
    await assert.rejects(device.precopyInfo({ waitMs: '5' as never }), TypeError)
    for (const waitMs of [-1, NaN, Infinity])
      await assert.rejects(device.precopyInfo({ waitMs }), RangeError, String(waitMs))
    await device.close()
  })
})

describe('a failure of reading ahead while nobody reads', () => {
  it('waits for the next reader instead of ending the process', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    const first = stream.chunks({ until: 'idle' }).next()
    ;(await script.session.nextRead()).answer(ENOMSG, script.arc)
    await first
    script.session.info = { result: 0, initialBytes: 0, dirtyBytes: 4, flags: 0 }
    await device.precopyInfo()
    ;(await script.session.nextRead()).answer(ENODEV, script.arc)
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(stream.errored, null)
    await assert.rejects(stream.chunks({ until: 'idle' }).next(), { code: 'ENODEV' })
  })

  it('is the one that is told, and the last one: nothing is read after it', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    stream.read()
    ;(await script.session.nextRead()).answer(-5, script.arc)
    await new Promise(resolve => setImmediate(resolve))
    script.session.info = { result: 0, initialBytes: 0, dirtyBytes: 4, flags: 0 }
    await device.precopyInfo()
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(script.session.reads.length, 0)
    await assert.rejects(stream.chunks({ until: 'idle' }).next(), { code: 'EIO' })
  })

  it('is given to a consumer that listens', async () => {
    const { script, stream } = await saving('PRE_COPY')
    stream.read()
    ;(await script.session.nextRead()).answer(-5, script.arc)
    await new Promise(resolve => setImmediate(resolve))
    const failure = once(stream, 'error')
    assert.equal(((await failure) as [NodeJS.ErrnoException])[0].code, 'EIO')
  })
})

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

describe('chunks()', () => {
  it('refuses to stop at what is no pause, as copyTo() does, before a read', async () => {
    const { stream, script } = await saving('PRE_COPY')
    const refused = { name: 'TypeError', message: /until must be 'idle' or 'end', not "never"/ }
    const options = { until: 'never' as 'idle' }
    await assert.rejects(stream.chunks(options).next(), refused)
    await assert.rejects(stream.copyTo(new Socket(), options), refused)
    assert.equal(script.session.reads.length, 0)
    assert.equal(stream.listenerCount('error'), 0)
  })

  it('stops at idle when told, leaves the stream usable, and goes on to the end', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    const feed = async (): Promise<void> => {
      ;(await script.session.nextRead()).answer(2, script.arc, 'ab')
      ;(await script.session.nextRead()).answer(ENOMSG, script.arc)
    }
    const texts: string[] = []
    const feeding = feed()
    for await (const chunk of stream.chunks({ until: 'idle' })) texts.push(chunk.toString())
    await feeding
    assert.equal(stream.destroyed, false)
    await device.setState('STOP_COPY')
    const rest = (async (): Promise<void> => {
      ;(await script.session.nextRead()).answer(2, script.arc, 'cd')
      ;(await script.session.nextRead()).answer(0, script.arc)
    })()
    for await (const chunk of stream.chunks()) texts.push(chunk.toString())
    await rest
    assert.deepEqual(texts, ['ab', 'cd'])
    assert.equal(await stream.idle(), 'end')
  })

  it('destroys nothing when the loop is left', async () => {
    const { script, stream } = await saving('PRE_COPY')
    const feeding = script.session.nextRead().then(read => read.answer(2, script.arc, 'ab'))
    for await (const chunk of stream.chunks()) {
      assert.equal(chunk.toString(), 'ab')
      break
    }
    await feeding
    assert.equal(stream.destroyed, false)
    assert.equal(stream.listenerCount('readable'), 0)
  })

  it('gives a chunk back when the loop goes on, and not when it is left', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const feeding = (async (): Promise<void> => {
      for (const text of ['one', 'two', 'three'])
        (await script.session.nextRead()).answer(text.length, script.arc, text)
    })()
    const seen: string[][] = []
    for await (const chunk of stream.chunks()) {
      seen.push([chunk.toString(), ...script.session.released])
      if (seen.length === 3) break
    }
    await feeding
    assert.deepEqual(seen, [['one'], ['two', 'one'], ['three', 'one', 'two']])
    assert.deepEqual(script.session.released, ['one', 'two'])
  })

  it('gives back nothing that a listener of data has had as well, even one that is gone', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const feeding = (async (): Promise<void> => {
      for (const text of ['one', 'two']) (await script.session.nextRead()).answer(3, script.arc, text)
      ;(await script.session.nextRead()).answer(0, script.arc)
    })()
    const chunks = stream.chunks()
    const first = chunks.next()
    const heard: string[] = []
    stream.once('data', (chunk: Buffer) => heard.push(chunk.toString()))
    await first
    for await (const chunk of chunks) assert.equal(chunk.toString(), 'two')
    await feeding
    assert.deepEqual([heard, script.session.released], [['one'], ['two']])
  })

  it('gives text where an encoding was set', async () => {
    const { script, stream } = await saving('STOP_COPY')
    stream.setEncoding('utf8')
    const feeding = (async (): Promise<void> => {
      ;(await script.session.nextRead()).answer(3, script.arc, 'abc')
      ;(await script.session.nextRead()).answer(0, script.arc)
    })()
    const texts: unknown[] = []
    for await (const chunk of stream.chunks()) texts.push(chunk)
    await feeding
    assert.deepEqual([texts, script.session.released], [['abc'], []])
  })

  it('waits through an idle when it is to go on to the end', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    const texts: string[] = []
    const reading = (async (): Promise<void> => {
      for await (const chunk of stream.chunks({ until: 'end' })) texts.push(chunk.toString())
    })()
    ;(await script.session.nextRead()).answer(ENOMSG, script.arc)
    assert.equal(await stream.idle(), 'idle')
    await device.setState('STOP_COPY')
    ;(await script.session.nextRead()).answer(1, script.arc, 'z')
    ;(await script.session.nextRead()).answer(0, script.arc)
    await reading
    assert.deepEqual(texts, ['z'])
  })

  it('rejects when the stream is destroyed', async () => {
    const { script, stream } = await saving('PRE_COPY')
    stream.on('error', () => undefined)
    const next = stream.chunks().next()
    ;(await script.session.nextRead()).answer(-5, script.arc)
    await assert.rejects(next, { code: 'EIO' })
  })
})

async function feed(
  script: ScriptedDevice,
  onRead: (read: ScriptedRead) => void = () => undefined,
): Promise<void> {
  for (const text of ['one', 'two', '']) {
    const read = await script.session.nextRead()
    onRead(read)
    read.answer(text.length, script.arc, text)
  }
}

describe('an end that came while nobody took anything', () => {
  it('is the end of a loop that begins after it', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const take = (): void => undefined
    stream.on('data', take)
    const read = await script.session.nextRead()
    stream.off('data', take).pause()
    read.answer(0, script.arc)
    await turn()
    assert.deepEqual(await stream.chunks().next(), { done: true, value: 'end' })
  })
})

describe('a failure behind what was read', () => {
  it('is told when all of that is taken, to whoever is busy with the chunk before', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const texts: string[] = []
    const reading = (async (): Promise<void> => {
      for await (const chunk of stream.chunks()) {
        texts.push(chunk.toString())
        if (texts.length > 1) continue
        ;(await script.session.nextRead()).answer(3, script.arc, 'two')
        ;(await script.session.nextRead()).answer(-5, script.arc)
        await turn()
      }
    })()
    ;(await script.session.nextRead()).answer(3, script.arc, 'one')
    await assert.rejects(reading, { code: 'EIO' })
    assert.deepEqual(texts, ['one', 'two'])
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

describe('chunksToRelease()', () => {
  it('tells who waits for a pause that it has come to the end', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const idle = stream.idle()
    const feeding = feed(script)
    for await (const chunk of stream.chunksToRelease('end')) stream.release(chunk)
    await feeding
    assert.equal(await idle, 'end')
    assert.equal(script.session.closed, false)
  })

  it('comes to the end and leaves the session open, which ends with its arc', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const feeding = feed(script)
    for await (const chunk of stream.chunksToRelease('end')) stream.release(chunk)
    await feeding
    await turn()
    assert.deepEqual([stream.destroyed, script.session.closed], [false, false])
    await stream.endSession(() => assert.fail('nobody reads'))
    assert.deepEqual([stream.destroyed, script.session.closed], [true, true])
  })

  it('comes to the end again for who asks again', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const feeding = feed(script)
    for await (const chunk of stream.chunksToRelease('end')) stream.release(chunk)
    await feeding
    assert.deepEqual(await stream.chunksToRelease('end').next(), { done: true, value: 'end' })
    for await (const chunk of stream) assert.fail(String(chunk))
    assert.deepEqual([stream.readableEnded, script.session.closed], [true, true])
  })
})

describe('release()', () => {
  it('gives back a chunk of chunksToRelease(), whenever it is called, and once', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const feeding = feed(script)
    const chunks: Buffer[] = []
    for await (const chunk of stream.chunksToRelease('end')) chunks.push(chunk)
    await feeding
    assert.deepEqual(script.session.released, [])
    for (const chunk of [...chunks, ...chunks]) stream.release(chunk)
    assert.deepEqual(script.session.released, ['one', 'two'])
  })

  it('is without effect on what a Readable gives: its reads are asked for in memory of its own', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const asked: boolean[] = []
    const feeding = feed(script, ({ own }) => asked.push(own))
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    await feeding
    assert.deepEqual([...new Set(asked)], [true])
    for (const chunk of chunks) stream.release(chunk)
    assert.deepEqual(script.session.released, [])
    assert.equal(Buffer.concat(chunks).toString(), 'onetwo')
  })

  it('is done for a Readable with what was lent to a loop that was left: that gets a copy', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const feeding = feed(script)
    for await (const chunk of stream.chunks()) {
      assert.equal(chunk.toString(), 'one')
      break
    }
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    await feeding
    assert.deepEqual([script.session.released, Buffer.concat(chunks).toString()], [['two'], 'two'])
  })
})

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

describe('copyTo()', () => {
  it('refuses a sink that calls back before its bytes are consumed, and names pipeline', async () => {
    const { stream } = await saving('PRE_COPY')
    await assert.rejects(stream.copyTo(new PassThrough() as never), {
      name: 'TypeError',
      message: /pipeline/,
    })
  })
})
