// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { ReadAnswer } from '#lib/backend/seam.js'
import { checkBuffers } from '#lib/device/buffers.js'
import { ReadAhead } from '#lib/device/read_ahead.js'
import { ScriptedSession } from './scripted_device.js'

const [ENOMSG, EAGAIN, EIO] = [-42, -11, -5]

interface Posted {
  readonly behind: boolean
  readonly waitMs: number
  readonly maxBytes: number
  readonly own: boolean
  answer(result: number, arc?: number, text?: string): Promise<void>
}

/** A session whose reads, of both kinds, are answered one by one. */
class Reads extends ScriptedSession {
  readonly posted: Posted[] = []

  constructor() {
    super([])
  }

  override read(maxBytes: number, waitMs: number, own = false): Promise<ReadAnswer> {
    return this.#post(false, { maxBytes, waitMs, own })
  }

  readBehind(maxBytes: number, own = false): Promise<ReadAnswer> {
    return this.#post(true, { maxBytes, waitMs: 0, own })
  }

  #post(
    behind: boolean,
    { maxBytes, waitMs, own }: Pick<Posted, 'maxBytes' | 'waitMs' | 'own'>,
  ): Promise<ReadAnswer> {
    return new Promise(resolve => {
      this.posted.push({
        behind,
        waitMs,
        maxBytes,
        own,
        answer: async (result, arc = 0, text = '') => {
          resolve({ result, arc, ...this.dataOf(text, own) })
          await new Promise(resolve => setImmediate(resolve))
        },
      })
    })
  }

  next(): Posted {
    const posted = this.posted.shift()
    assert.ok(posted, 'a read is posted')
    return posted
  }

  /** All that wait, in their order. */
  async answerAll(result: number): Promise<void> {
    for (const posted of this.posted.splice(0)) await posted.answer(result)
  }
}

function ahead(count = 3) {
  const session = new Reads()
  const seen = { news: 0 }
  const reading = new ReadAhead(session, { count, bytes: 4096 }, () => {
    seen.news++
  })
  const kinds = (): string => session.posted.map(({ behind }) => (behind ? 'b' : 'r')).join('')
  const take = (): string | undefined => {
    const answer = reading.take()
    return answer && Buffer.from(answer.data).toString()
  }
  return { session, reading, seen, kinds, take }
}

describe('reading ahead', () => {
  it('posts nothing before it is begun, then as many as there are buffers, all but one behind others', () => {
    const { reading, kinds } = ahead()
    reading.nudge({})
    assert.equal(kinds(), '')
    reading.start()
    assert.equal(kinds(), 'rbb')
  })

  it('has all the room for two reads where it is told to', () => {
    const sizes = [1, 2, 3, 4].map(count => {
      const { session, reading } = ahead(count)
      reading.readInHalves()
      reading.start()
      return session.posted.map(({ maxBytes }) => maxBytes)
    })
    assert.deepEqual(sizes, [[4096], [4096, 4096], [6144, 6144], [8192, 8192]])
  })

  it('has a buffer for what lies untaken, and posts another when it is taken', async () => {
    const { reading, session, kinds, take } = ahead()
    reading.start()
    await session.next().answer(2, 0, 'ab')
    assert.deepEqual([kinds(), reading.bytes, reading.bytesRead], ['bb', 2, 2])
    assert.equal(take(), 'ab')
    assert.deepEqual([kinds(), reading.bytes, reading.bytesRead], ['bbb', 0, 2])
  })

  it('reads one more into what its taker gives back, until more is taken', async () => {
    const { reading, session, kinds, take } = ahead()
    reading.start()
    await session.next().answer(1, 0, 'a')
    await session.next().answer(1, 0, 'b')
    take()
    assert.equal(kinds(), 'bb', 'one lies there, one is in hand')
    reading.returned()
    reading.returned()
    assert.equal(kinds(), 'bbb')
    take()
    assert.equal(kinds(), 'bbb', 'what is in hand is what was one more')
  })

  it('gives what was read in its order', async () => {
    const { reading, session, take } = ahead()
    reading.start()
    for (const text of ['a', 'b', 'c']) await session.next().answer(1, 0, text)
    assert.deepEqual([take(), take(), take(), take()], ['a', 'b', 'c', undefined])
  })

  it('is idle when the device has nothing now and all is taken, and asks no more', async () => {
    const { reading, session, take, kinds } = ahead()
    reading.start()
    await session.next().answer(1, 0, 'a')
    await session.next().answer(ENOMSG)
    await session.next().answer(EAGAIN)
    assert.equal(reading.isIdle, false)
    take()
    assert.deepEqual([reading.isIdle, kinds()], [true, ''])
  })

  it('asks anew where the device was led on while it answered that it has nothing', async () => {
    const { reading, session, kinds } = ahead()
    reading.start()
    reading.nudge({ waitMs: 70 })
    await session.next().answer(0)
    assert.deepEqual([reading.isIdle, kinds()], [false, 'bb'], 'these will not be made')
    await session.answerAll(EAGAIN)
    assert.deepEqual([kinds(), session.next().waitMs], ['rbb', 70])
  })

  it('asks for memory of its own with every read, or to be lent it', () => {
    for (const lends of [false, true]) {
      const { reading, session } = ahead()
      reading.lends = lends
      reading.start()
      assert.deepEqual(
        session.posted.map(({ own }) => own),
        [!lends, !lends, !lends],
      )
    }
  })

  it('waits for what was announced, with its first read only', async () => {
    const { reading, session } = ahead()
    reading.nudge({ waitMs: 70 })
    reading.start()
    assert.deepEqual(
      session.posted.map(({ waitMs }) => waitMs),
      [70, 0, 0],
    )
    await session.next().answer(1, 0, 'a')
    await session.answerAll(ENOMSG)
    reading.nudge({})
    assert.equal(session.next().waitMs, 0)
  })

  it('ends at a 0 that is as young as STOP_COPY, and not before all is taken', async () => {
    const { reading, session, take } = ahead()
    reading.start()
    reading.nudge({ stopCopyArc: 4 })
    await session.next().answer(1, 4, 'a')
    await session.next().answer(0, 4)
    assert.equal(reading.over, undefined)
    take()
    assert.equal(reading.over, 'end')
  })

  it('takes no older 0 for the end', async () => {
    const { reading, session } = ahead()
    reading.start()
    reading.nudge({ stopCopyArc: 4 })
    await session.next().answer(0, 3)
    assert.equal(reading.over, undefined)
  })

  it('gives what was read before a failure, and the failure then', async () => {
    const { reading, session, take, kinds } = ahead()
    reading.start()
    await session.next().answer(1, 0, 'a')
    await session.next().answer(EIO)
    await session.next().answer(EAGAIN)
    assert.deepEqual([reading.over, take(), reading.over, kinds()], [undefined, 'a', EIO, ''])
  })

  it('gives its memory back when it is stopped, and what comes afterwards', async () => {
    const { reading, session, take } = ahead()
    reading.lends = true
    reading.start()
    await session.next().answer(1, 0, 'a')
    reading.stop()
    await session.next().answer(1, 0, 'b')
    assert.deepEqual([session.released, take(), reading.bytes], [['a', 'b'], undefined, 0])
  })

  it('reads by one call at a time where the backend takes no more', async () => {
    const { reading, session, kinds } = ahead()
    Object.assign(session, { readBehind: undefined })
    reading.start()
    assert.equal(kinds(), 'r')
    await session.next().answer(1, 0, 'a')
    assert.equal(kinds(), 'r')
  })
})

describe('the buffers of a session', () => {
  it('are four of a mebibyte unless told', () => {
    assert.deepEqual(checkBuffers(), { count: 4, bytes: 1_048_576 })
    assert.deepEqual(checkBuffers({ bytes: 4096 }), { count: 4, bytes: 4096 })
  })

  for (const [wrong, Type] of [
    [{ count: 0 }, RangeError],
    [{ count: 65 }, RangeError],
    [{ count: 1.5 }, RangeError],
    [{ bytes: 4095 }, RangeError],
    [{ bytes: 16 * 1024 * 1024 + 1 }, RangeError],
    [{ count: '4' }, TypeError],
    [4, TypeError],
    [null, TypeError],
  ] as const) {
    it(`are not ${JSON.stringify(wrong)}`, () => {
      assert.throws(() => checkBuffers(wrong), Type)
    })
  }
})
