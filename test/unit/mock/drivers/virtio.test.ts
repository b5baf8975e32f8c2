// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { errno } from '#lib/kernel/errno.js'
import { MockOops } from '#lib/mock/index.js'
import { Opened, bytes, drain, saved } from './opened.ts'

/** A state of two pages: an image of 80 + 8192 bytes, and a header of 16 before it. */
const image = 80 + 8192
const record = 16 + image

const open = (options: object = {}): Opened => new Opened({ flavour: 'virtio', size: '8KiB', ...options })

/** record_size, flags, tag. */
const header = (size: string, flags: string, tag: string): Buffer => bytes(size, flags, tag)

async function dirty(session: SessionCalls): Promise<number> {
  const { result, initialBytes, dirtyBytes } = await session.precopyInfo()
  assert.deepEqual([result, initialBytes], [0, 0])
  return dirtyBytes
}

describe('a mock of virtio', () => {
  it('gives its parts as a record: their length, no flags, tag 0', async () => {
    const stream = await saved(open())
    assert.equal(stream.length, record)
    assert.deepEqual(stream.subarray(0, 16), header('5020000000000000', '00000000', '00000000'))
    assert.equal(stream.toString('latin1', 16, 20), 'VFIM')
  })

  it('answers ENOMSG while there is nothing in pre-copy, and 0 in STOP_COPY', async () => {
    const device = open()
    const session = await device.session('PRE_COPY')
    const first = await drain(session)
    assert.deepEqual([first.bytes.length, first.last], [record, -errno.ENOMSG])
    await device.to('STOP_COPY')
    const final = await drain(session)
    assert.deepEqual([final.bytes.length, final.last], [record, 0])
  })

  it('says how much of the first record is left, and asks the device at most once a second after it', async () => {
    const device = open()
    const session = await device.session('PRE_COPY')
    assert.equal((await session.precopyInfo()).initialBytes, record)
    await session.read(100, 0)
    assert.equal((await session.precopyInfo()).initialBytes, record - 100)
    await drain(session)
    assert.equal(await dirty(session), 0, 'within a second')
    await device.clock.sleep(1001)
    assert.equal(await dirty(session), image, 'the size of all parts')
    const { bytes: again } = await drain(session)
    assert.equal(again.length, record, 'and all of them, with a header that was not announced')
    assert.equal(await dirty(session), 0)
  })

  it('counts what was not read beside what the device says', async () => {
    const device = open()
    const session = await device.session('PRE_COPY')
    await drain(session)
    await device.clock.sleep(1001)
    await dirty(session)
    await session.read(16, 0)
    assert.equal(await dirty(session), image)
    await device.clock.sleep(1001)
    assert.equal(await dirty(session), 2 * image)
    assert.equal((await drain(session)).bytes.length, image, 'nothing new while something is unread')
  })

  it('leaves the session as it was when a record cannot be read in', async () => {
    const device = open()
    const session = await device.session('PRE_COPY')
    await drain(session)
    await device.clock.sleep(1001)
    device.mock.inject({ on: 'SAVE', errno: 'ENOMEM' })
    assert.equal((await session.precopyInfo()).result, -errno.ENOMEM)
    assert.equal((await session.read(100, 0)).result, -errno.ENOMSG, 'the session goes on')
    await device.to('STOP_COPY')
    assert.equal((await drain(session)).bytes.length, record)
  })

  it('loads each record in the write of its last byte', async () => {
    const [source, target] = [open({ seed: 1 }), open({ seed: 2 })]
    const session = await source.session('PRE_COPY')
    source.mock.step(2)
    const first = (await drain(session)).bytes
    await source.to('STOP_COPY')
    const final = (await drain(session)).bytes
    const into = await target.session('RESUMING')
    assert.equal(await into.write(first.subarray(0, -1)), record - 1)
    assert.equal(target.mock.seed, 2n)
    assert.equal(await into.write(Buffer.concat([first.subarray(-1), final])), record + 1)
    assert.equal(target.mock.digest(), source.mock.digest())
    await target.to('RUNNING')
  })

  it('does not notice an incomplete record when RESUMING is left, and runs with what it had', async () => {
    const device = open()
    const session = await device.session('RESUMING')
    assert.equal(await session.write((await saved(open())).subarray(0, 5000)), 5000)
    await device.to('STOP')
    await device.to('RUNNING')
    assert.equal(device.mock.epoch, 0n)
  })

  it('does not notice that the last record is missing either, but its device does when it is to run', async () => {
    const [source, target] = [open(), open()]
    const { bytes: first } = await drain(await source.session('PRE_COPY'))
    const session = await target.session('RESUMING')
    assert.equal(await session.write(first), record)
    const { result, done } = await target.set('STOP', 'RUNNING')
    assert.deepEqual([result, done], [-errno.EIO, 1])
    assert.equal(await target.calls.getState(), 5)
  })

  it('passes over what is optional', async () => {
    const session = await open().session('RESUMING')
    const unknown = Buffer.concat([header('0300000000000000', '01000000', '07000000'), Buffer.from('abc')])
    assert.equal(await session.write(Buffer.concat([unknown, await saved(open())])), 19 + record)
  })

  const refused: Record<string, [Buffer, number]> = {
    'a tag that it does not know': [header('0300000000000000', '00000000', '07000000'), -errno.EOPNOTSUPP],
    'a record of 4 GiB': [header('0000000001000000', '00000000', '00000000'), -errno.ENOMEM],
    'what its device does not take': [
      Buffer.concat([header('0400000000000000', '00000000', '00000000'), Buffer.alloc(4)]),
      -errno.EINVAL,
    ],
  }
  for (const [what, [stream, answer]] of Object.entries(refused)) {
    it(`refuses ${what}, and answers ENODEV from then on`, async () => {
      const session = await open().session('RESUMING')
      assert.equal(await session.write(stream), answer)
      assert.equal(await session.write(Uint8Array.of(0)), -errno.ENODEV)
    })
  }

  for (const way of ['leaving RESUMING', 'a reset'] as const) {
    it(`crashes when its resuming fd is written to after ${way}`, async () => {
      const device = open()
      const session = await device.session('RESUMING')
      if (way === 'a reset') await device.calls.reset()
      else await device.to('STOP')
      await assert.rejects(session.write(Uint8Array.of(0)), MockOops)
    })
  }

  it('announces what its device says', async () => {
    assert.equal(await open({ estimateSlack: 100 }).calls.dataSize(), image + 100)
  })

  it('is stopped as a whole from the P2P states on', async () => {
    const device = open()
    await device.to('RUNNING_P2P')
    const commands = device.mock.history.flatMap(event => (event.kind === 'command' ? [event.command] : []))
    assert.deepEqual(commands, ['SUSPEND_INITIATOR', 'SUSPEND_RESPONDER'])
    await device.to('STOP')
    assert.equal(device.mock.history.filter(({ kind }) => kind === 'command').length, 2)
  })
})
