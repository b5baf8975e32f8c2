// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { monotonicClock as clock } from '#lib/clock.js'
import { openDevice } from '#lib/device/open.js'
import { kernel } from './kernel.js'
import { E, PRE_COPY, STOP_COPY, enter, open, scenario } from './scenario.js'
import { streamBytes } from './stream_pattern.js'

type Reader = SessionCalls & Required<Pick<SessionCalls, 'readBehind'>>

const firstRecord = 24
const header = 16

async function saving(state: number, image = 1000): Promise<Reader> {
  const device = await open()
  kernel.set(0, { image })
  return (await enter(device, state)) as Reader
}

const results = async (reads: Promise<{ result: number }>[]): Promise<number[]> =>
  (await Promise.all(reads)).map(({ result }) => result)

describe('a read that is posted behind another', () => {
  scenario('takes what comes behind what that took', async () => {
    const session = await saving(STOP_COPY)
    const read = await Promise.all([session.read(100, 0), session.readBehind(100), session.readBehind(2000)])
    const whole = Buffer.concat(read.map(({ data }) => data))
    assert.deepEqual(
      read.map(({ result }) => result),
      [100, 100, firstRecord + header + 1000 - 200],
    )
    // What the fake kernel gives out behind the two headers.
    const image = streamBytes(firstRecord + header, 1000)
    assert.deepEqual(whole.subarray(firstRecord + header), image)
  })

  scenario('is not made where that gave nothing, nor is any behind it', async () => {
    const session = await saving(STOP_COPY)
    await session.read(2000, 0)
    const calls = kernel.lines('read').length
    const reads = [session.read(100, 0), session.readBehind(100), session.readBehind(100)]
    assert.deepEqual(await results(reads), [0, -E.EAGAIN, -E.EAGAIN])
    assert.equal(kernel.lines('read').length, calls + 1)
  })

  scenario('is not made where that failed', async () => {
    const session = await saving(STOP_COPY)
    kernel.rule(0, 'read', 'fail', E.EIO, 1)
    assert.deepEqual(await results([session.read(100, 0), session.readBehind(100)]), [-E.EIO, -E.EAGAIN])
  })

  scenario('is not made where there was none', async () => {
    const session = await saving(STOP_COPY)
    assert.deepEqual(await results([session.readBehind(100)]), [-E.EAGAIN])
    assert.deepEqual(kernel.lines('read'), [])
  })

  scenario('is refused with the others when the session ends', async () => {
    const session = await saving(PRE_COPY)
    kernel.hold(0, 'read')
    const reads = [session.read(100, 0), session.readBehind(100)]
    kernel.waitFor('held read')
    const closed = session.close()
    kernel.release('read')
    await closed
    assert.equal((await results(reads))[1], -E.ECANCELED)
  })
})

describe('a saving stream over it', () => {
  scenario('reads ahead as much as its buffers hold, and no more', async () => {
    const [chunk, count] = [4096, 3]
    const calls = await open()
    const backend = { name: 'vf', driver: undefined, origin: 'opened', via: 'cdev', clock, calls } as const
    const device = await openDevice(backend, { buffers: { bytes: chunk, count } })
    kernel.set(0, { image: 100 * chunk })
    await device.setState('STOP_COPY')
    const { savingStream } = device
    const chunks = savingStream.chunks()
    await chunks.next()
    while (savingStream.bufferedBytes < count * chunk) await new Promise(resolve => setImmediate(resolve))
    assert.equal(savingStream.bytesRead, (1 + count) * chunk)
    await chunks.return('idle')
    await device.setState('RUNNING')
    await device.close()
  })
})
