// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { feed, saving } from './scripted_saving.js'

const ENOMSG = -42

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

  it('is refused where an encoding was set, as copyTo() and pump() are, before a read', async () => {
    const { script, stream } = await saving('STOP_COPY')
    stream.setEncoding('utf8')
    const refused = { name: 'TypeError', message: /an encoding \('utf8'\), and a state is no text/ }
    await assert.rejects(stream.chunks().next(), refused)
    await assert.rejects(stream.copyTo(new Socket()), refused)
    await assert.rejects(stream.pump(1), refused)
    assert.equal(script.session.reads.length, 0)
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

describe('chunksToRelease()', () => {
  it('gives what was put back into the Readable while it waited for the end', async () => {
    const { script, stream } = await saving('STOP_COPY')
    const loop = stream.chunksToRelease('end')
    const next = loop.next()
    const read = await script.session.nextRead()
    stream.unshift(Buffer.from('back'))
    read.answer(0, script.arc)
    assert.equal(String((await next).value), 'back')
    assert.deepEqual(await loop.next(), { done: true, value: 'end' })
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

  it('is without effect on ownChunks(), even of what was read to be lent: those are copies', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    const answer = async (text: string): Promise<boolean> => {
      const read = await script.session.nextRead()
      read.answer(text.length, script.arc, text)
      return read.own
    }
    const [, isFirstOwn] = await Promise.all([stream.chunks().next(), answer('one')])
    const loop = stream.ownChunks('idle')
    const [second, isSecondOwn] = await Promise.all([loop.next(), answer('two')])
    const [third, isThirdOwn] = await Promise.all([loop.next(), answer('six')])
    assert.deepEqual([isFirstOwn, isSecondOwn, isThirdOwn], [false, false, true])
    assert.deepEqual(script.session.released, ['two'])
    for (const { value } of [second, third]) stream.release(value as Buffer)
    assert.deepEqual(
      [`${String(second.value)} ${String(third.value)}`, script.session.released],
      ['two six', ['two']],
    )
    await loop.return('idle')
    await device.close()
  })

  it('is for what is read between two loops as well: nobody has asked for memory of its own', async () => {
    const { script, device, stream } = await saving('PRE_COPY')
    const answer = async (result: number, text?: string): Promise<boolean> => {
      const read = await script.session.nextRead()
      read.answer(result, script.arc, text)
      return read.own
    }
    const before = [answer(2, 'ab'), answer(ENOMSG)]
    for await (const chunk of stream.chunksToRelease('idle')) stream.release(chunk)
    const moved = device.setState('STOP_COPY')
    const between = answer(2, 'cd')
    await moved
    assert.deepEqual(await Promise.all([...before, between]), [false, false, false])
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
