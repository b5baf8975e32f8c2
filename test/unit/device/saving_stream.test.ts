// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Device } from '#lib/device/device.js'
import { openDevice } from '#lib/device/open.js'
import type { SavingStream } from '#lib/device/saving_stream.js'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { gate } from './scripted_device.js'
import { collect, saving } from './scripted_saving.js'

const [ENODEV, ENOMSG] = [-19, -42]

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

  it('is kept from whoever listens to other events', async () => {
    const { script, stream } = await saving('PRE_COPY')
    stream.read()
    ;(await script.session.nextRead()).answer(-5, script.arc)
    await new Promise(resolve => setImmediate(resolve))
    stream.once('close', () => undefined).once('end', () => undefined)
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(stream.destroyed, false)
    await assert.rejects(stream.chunks().next(), { code: 'EIO' })
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
