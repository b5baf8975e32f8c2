// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { kernel } from './kernel.js'
import {
  E,
  PRE_COPY,
  PRE_COPY_P2P,
  RUNNING,
  STOP,
  STOP_COPY,
  drain,
  enter,
  open,
  scenario,
} from './scenario.js'
import { streamBytes } from './stream_pattern.js'

const firstRecord = 24
const header = 16
const image = 65536

/** What the fake kernel makes of record 0 and one image, each with its header. */
function stream(images: readonly number[], announced = image): Buffer {
  const bytes = streamBytes(
    0,
    images.reduce((sum, size) => sum + header + size, firstRecord),
  )
  const putHeader = (at: number, size: number, mark: number) => {
    bytes.writeBigUInt64LE(BigInt(size), at)
    bytes.writeUInt32LE(mark, at + 8)
    bytes.writeUInt32LE(mark, at + 12)
  }
  putHeader(0, 8, 1)
  bytes.writeBigUInt64LE(BigInt(announced), header)
  let at = firstRecord
  for (const size of images) {
    putHeader(at, size, 0)
    at += header + size
  }
  return bytes
}

describe('a read of a saving fd', () => {
  scenario('takes the stream byte for byte', async () => {
    const session = await enter(await open(), STOP_COPY)
    assert.deepEqual(await drain(session), stream([image]))
  })

  scenario('takes it byte for byte in single bytes, too', async () => {
    const device = await open()
    kernel.set(0, { image: 100 })
    const session = await enter(device, STOP_COPY)
    assert.deepEqual(await drain(session, 1), stream([100], 100))
  })

  scenario('takes it across the short reads of a driver', async () => {
    const session = await enter(await open(), STOP_COPY)
    for (let nth = 1; nth <= 5; nth++) kernel.rule(0, 'read', 'cut', 7, nth)
    assert.equal((await session.read(1000, 0)).result, 7)
    assert.deepEqual(await drain(session), stream([image]).subarray(7))
  })

  scenario('takes 16 MiB at most, whatever is asked for', async () => {
    const device = await open()
    kernel.set(0, { image: 17 << 20 })
    const session = await enter(device, STOP_COPY)
    const { result, data } = await session.read(1 << 30, 0)
    assert.deepEqual([result, data.length], [16 << 20, 16 << 20])
  })

  scenario('is set O_NONBLOCK before the session is handed out', async () => {
    await enter(await open(), STOP_COPY)
    assert.deepEqual(kernel.lines('F_SETFL'), ['F_SETFL saving O_NONBLOCK'])
  })

  scenario('answers in memory of its own each time', async () => {
    const session = await enter(await open(), STOP_COPY)
    const [a, b] = [await session.read(100, 0), await session.read(100, 0)]
    assert.notEqual(a.data.buffer, b.data.buffer)
    assert.deepEqual(Buffer.from(a.data), stream([image]).subarray(0, 100))
  })

  scenario('reads first and polls after EAGAIN, then reads again', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = await enter(device, STOP_COPY)
    assert.equal((await session.read(1000, 0)).result, firstRecord)
    const waiting = session.read(1000, 0)
    kernel.waitFor('poll saving')
    kernel.tell('complete 0')
    assert.equal((await waiting).result, 1000)
    assert.deepEqual(kernel.lines('read', 'poll'), [
      'read 0 = 24',
      'read 0 = -11',
      'poll saving 0',
      'read 0 = 1000',
    ])
  })

  scenario('answers the errno of a poll that fails, instead of asking for ever', async () => {
    const device = await open()
    kernel.set(0, { autosave: false, dirty: 1000 })
    const session = await enter(device, STOP_COPY)
    await drainFirstRecord(session)
    kernel.rule(0, 'poll', 'fail', E.ENOMEM)
    assert.equal((await session.read(1000, 0)).result, -E.ENOMEM)
    assert.deepEqual(kernel.lines('read').slice(1), ['read 0 = -11'])
  })

  scenario('does not poll where the device has nothing now and no wait was asked for', async () => {
    const session = await enter(await open(), PRE_COPY)
    await drain(session)
    assert.equal((await session.read(1000, 0)).result, -E.ENOMSG)
    assert.deepEqual(kernel.lines('poll'), [])
  })

  scenario('waits for what a running SAVE will bring, up to the time it was given', async () => {
    const device = await open()
    const session = await enter(device, PRE_COPY)
    await drain(session)
    kernel.set(0, { autosave: false, dirty: 1000 })
    assert.equal((await session.precopyInfo()).dirtyBytes, 1000 + header)
    const waiting = session.read(5000, 10_000)
    kernel.waitFor('poll saving')
    kernel.tell('complete 0')
    assert.equal((await waiting).result, 1000 + header)
  })

  scenario('asks once more when the wait was in vain, and not again', async () => {
    const session = await enter(await open(), PRE_COPY)
    await drain(session)
    const reads = kernel.lines('read').length
    assert.equal((await session.read(1000, 5)).result, -E.ENOMSG)
    assert.deepEqual(kernel.lines('read', 'poll').slice(reads), [
      'read 0 = -42',
      'poll saving 0',
      'read 0 = -42',
    ])
  })

  scenario('takes the 0 of a driver that never says ENOMSG for nothing now', async () => {
    const device = await open()
    kernel.set(0, { mtty: true })
    const session = await enter(device, PRE_COPY)
    assert.equal((await session.read(1000, 0)).result, 24)
    assert.equal((await session.read(1000, 0)).result, 0)
    assert.equal((await session.read(1000, 1)).result, 0)
    await device.setStates([PRE_COPY_P2P, STOP_COPY])
    assert.equal((await session.read(1000, 0)).result, 36)
    assert.equal((await session.read(1000, 0)).result, 0)
  })

  scenario('carries the number of the arc before it was issued, not before it was answered', async () => {
    const device = await open()
    const session = await enter(device, PRE_COPY)
    await drain(session)
    kernel.hold(0, 'read')
    const early = session.read(1 << 20, 0)
    kernel.waitFor('held read')
    const { arc } = await device.setStates([PRE_COPY_P2P, STOP_COPY])
    kernel.release('read')
    assert.deepEqual([arc, (await early).arc], [3, 1])
    const end = await session.read(1 << 20, 0)
    assert.deepEqual([end.result, end.arc], [0, 3])
  })

  scenario('carries the arc of the read after the poll, as that one answered', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = await enter(device, PRE_COPY)
    await drainFirstRecord(session)
    const waiting = session.read(1 << 20, 0)
    kernel.waitFor('poll saving')
    await device.setStates([PRE_COPY_P2P])
    kernel.tell('complete 0')
    const answer = await waiting
    assert.deepEqual([answer.result, answer.arc], [image + header, 2])
  })

  scenario('answers ENODEV once the device was reset, waiting or not', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = await enter(device, STOP_COPY)
    await drainFirstRecord(session)
    const waiting = session.read(1000, 0)
    kernel.waitFor('poll saving')
    assert.equal(await device.reset(), 0)
    assert.equal((await waiting).result, -E.ENODEV)
    assert.equal((await session.read(1000, 0)).result, -E.ENODEV)
    assert.equal(await device.getState(), RUNNING)
  })

  scenario('answers ENODEV after the saving group was left', async () => {
    const device = await open()
    const session = await enter(device, STOP_COPY)
    await device.setStates([STOP])
    assert.equal((await session.read(1000, 0)).result, -E.ENODEV)
  })

  for (const name of ['EIO', 'EINTR', 'EFAULT', 'ENODEV', 'ENOMEM', 'ENOTCONN'] as const) {
    scenario(`answers ${name} as the kernel did, once`, async () => {
      const session = await enter(await open(), STOP_COPY)
      kernel.rule(0, 'read', 'fail', E[name])
      const { result, data } = await session.read(1000, 0)
      assert.deepEqual([result, data.length], [-E[name], 0])
      assert.equal(kernel.lines('read').length, 1)
      assert.equal((await session.read(1000, 0)).result, 1000)
    })
  }

  scenario('goes on after a poll that fails', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = await enter(device, STOP_COPY)
    await drainFirstRecord(session)
    kernel.rule(0, 'poll', 'fail', E.EINTR)
    const waiting = session.read(1000, 0)
    kernel.waitFor('poll saving', 2)
    kernel.tell('complete 0')
    assert.equal((await waiting).result, 1000)
  })

  scenario('answers EBADF to a write', async () => {
    const session = await enter(await open(), STOP_COPY)
    assert.equal(await session.write(new Uint8Array(8)), -E.EBADF)
  })
})

async function drainFirstRecord(session: {
  read(n: number, ms: number): Promise<{ result: number }>
}): Promise<void> {
  assert.equal((await session.read(1000, 0)).result, firstRecord)
}

describe('precopyInfo', () => {
  scenario('answers what is initial, then what is dirty', async () => {
    const device = await open()
    kernel.set(0, { dirty: 4096 })
    const session = await enter(device, PRE_COPY)
    const total = firstRecord + header + image
    assert.deepEqual(
      { ...(await session.precopyInfo()) },
      { result: 0, initialBytes: total, dirtyBytes: 0, flags: 0 },
    )
    await drain(session)
    const { initialBytes, dirtyBytes } = await session.precopyInfo()
    assert.deepEqual([initialBytes, dirtyBytes], [0, 4096 + header])
    assert.deepEqual(await drain(session), stream([image, 4096]).subarray(total))
  })

  scenario('shows flags after the opt-in only', async () => {
    const device = await open()
    const session = await enter(device, PRE_COPY)
    assert.equal((await session.precopyInfo()).flags, 0)
    assert.equal(await device.optInPrecopyInfoV2(), 0)
    assert.equal((await session.precopyInfo()).flags, 1)
  })

  scenario(
    'answers EINVAL outside of the pre-copy states and ENODEV for a session before the present one',
    async () => {
      const device = await open()
      const old = await enter(device, PRE_COPY)
      await device.setStates([RUNNING])
      assert.equal((await old.precopyInfo()).result, -E.EINVAL)
      await enter(device, PRE_COPY)
      assert.equal((await old.precopyInfo()).result, -E.ENODEV)
    },
  )

  scenario('passes errno on', async () => {
    const session = await enter(await open(), PRE_COPY)
    for (const name of ['EINTR', 'ENOTCONN', 'EIO', 'ETIMEDOUT'] as const) {
      kernel.rule(0, 'PRECOPY_INFO', 'fail', E[name])
      assert.equal((await session.precopyInfo()).result, -E[name])
    }
    assert.equal(kernel.lines('PRECOPY_INFO').length, 4)
  })
})
