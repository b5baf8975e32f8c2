// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { errno } from '#lib/kernel/errno.js'
import { Opened, bytes, drain, saved } from './opened.ts'

/** Magic, 16 queue pairs, device a251; isolation, queue base, QM state; version 1.0, reserved. */
const match = bytes(
  'dedecadeedfeccaa 10000000 51a20000',
  '00000000 00000000 00000000',
  '0100 0000 00000000 00000000',
)
/** What a device is of which all queues are there: see the offsets in lib/mock/drivers/hisi_acc_stream.ts. */
const rest = bytes(
  '00000000'.repeat(6),
  // eqc: word 0, the queue's address, seed, epoch.
  '00000000 0010000000000000 0807060504030201 0700000000000000',
  // aeqc: word 0, the queue's address, the window and its vector, word 6.
  '00000000 0020000000000000 0000000000000000 ffffffff 00000000',
  '00000000'.repeat(6),
  '0010000000000000 0020000000000000 0030000000000000 0040000000000000',
)

const open = (): Opened => new Opened({ flavour: 'hisi_acc' })
const whole = Buffer.concat([match, rest])

describe('a mock of hisi_acc', () => {
  it('has no state for P2P, and goes straight from RUNNING to STOP', async () => {
    const device = open()
    assert.equal(await device.calls.migrationFlags(), 5)
    assert.equal((await device.set('RUNNING_P2P')).result, -errno.EINVAL)
    assert.equal((await device.set('STOP')).done, 1)
    const arcs = device.mock.history.filter(({ kind }) => kind === 'arc')
    assert.deepEqual(
      arcs.map(event => event.kind === 'arc' && `${event.from}->${event.to}`),
      ['RUNNING->STOP'],
    )
  })

  it('gives 40 bytes of match data in pre-copy, then 0, and all 176 in the end', async () => {
    const device = open()
    device.mock.step(7)
    const session = await device.session('PRE_COPY')
    assert.deepEqual(await session.precopyInfo(), { result: 0, initialBytes: 40, dirtyBytes: 0, flags: 0 })
    assert.deepEqual(await drain(session), { bytes: match, last: 0 })
    assert.equal((await session.precopyInfo()).initialBytes, 0)
    await device.to('STOP_COPY')
    assert.deepEqual(await drain(session), { bytes: rest, last: 0 })
    assert.equal(await device.calls.dataSize(), 176)
  })

  it('gives all at once where there was no pre-copy', async () => {
    const device = open()
    device.mock.step(7)
    assert.deepEqual(await saved(device), whole)
  })

  it('loads what another saved when RESUMING is left', async () => {
    const device = new Opened({ flavour: 'hisi_acc', seed: 5 })
    const session = await device.session('RESUMING')
    assert.equal(await session.write(whole), 176)
    assert.equal(device.mock.epoch, 0n)
    await device.to('STOP')
    assert.equal(device.mock.epoch, 7n)
    assert.equal(device.mock.seed, 0x0102_0304_0506_0708n)
    assert.equal(await session.write(Uint8Array.of(1)), -errno.ENODEV)
  })

  const others: Record<string, [offset: number, value: number]> = {
    'another magic': [0, 0],
    'another number of queue pairs': [8, 1],
    'another device': [12, 0xa256],
    'another isolation': [16, 1],
    'a later version': [28, 2],
  }
  for (const [what, [offset, value]] of Object.entries(others)) {
    it(`refuses ${what} with EFAULT, in the write that completes the match data`, async () => {
      const session = await open().session('RESUMING')
      const stream = Buffer.from(whole)
      stream.writeUInt32LE(value, offset)
      assert.equal(await session.write(stream.subarray(0, 39)), 39)
      assert.equal(await session.write(stream.subarray(39, 40)), -errno.EFAULT)
    })
  }

  it('looks at no other stream once one has matched, also after a reset, until it is opened anew', async () => {
    const device = open()
    const other = Buffer.from(whole)
    other.writeUInt32LE(1, 8)
    assert.equal(await (await device.session('RESUMING')).write(whole), 176)
    await device.calls.reset()
    assert.equal(await (await device.session('RESUMING')).write(other), 176)
    await device.reopen()
    assert.equal(await (await device.session('RESUMING')).write(other), -errno.EFAULT)
  })

  it('takes a stream of the version before it, which had none', async () => {
    const session = await open().session('RESUMING')
    const stream = Buffer.from(whole)
    stream.write('ccaaedfecdcdcdcd', 'hex')
    stream.writeUInt16LE(9, 28)
    assert.equal(await session.write(stream), 176)
  })

  it('takes match data alone for a device that was never set up, and loads nothing', async () => {
    const device = open()
    const session = await device.session('RESUMING')
    assert.equal(await session.write(match), 40)
    await device.to('RUNNING')
    assert.equal(device.mock.epoch, 0n)
    assert.equal(device.mock.seed, 0x0102_0304_0506_0708n)
  })

  it('loads nothing, and says so to nobody, where a queue has no address', async () => {
    const device = open()
    const session = await device.session('RESUMING')
    const stream = Buffer.from(whole)
    stream.fill(0, 160, 168)
    assert.equal(await session.write(stream), 176)
    await device.to('STOP')
    assert.equal(device.mock.epoch, 0n)
  })

  for (const length of [0, 39, 41, 175]) {
    it(`stays in RESUMING with EINVAL for ${length} bytes`, async () => {
      const device = open()
      const session = await device.session('RESUMING')
      await session.write(whole.subarray(0, length))
      assert.equal((await device.set('STOP')).result, -errno.EINVAL)
      assert.equal(await device.calls.getState(), 4)
      assert.equal(await session.write(whole.subarray(length)), 176 - length)
      await device.to('STOP')
    })
  }

  for (const [kernel, answer] of [
    ['6.12', -errno.EINVAL],
    ['7.2', -errno.ETIMEDOUT],
  ] as const) {
    it(`answers ${answer} on ${kernel} when its registers cannot be read in time`, async () => {
      const device = new Opened({ flavour: 'hisi_acc', kernel })
      device.mock.inject({ on: 'SAVE', errno: 'ETIMEDOUT' })
      const { result, done } = await device.set('STOP', 'STOP_COPY')
      assert.deepEqual([result, done], [answer, 1])
    })
  }

  it('takes no byte more than its stream has', async () => {
    assert.equal(await (await open().session('RESUMING')).write(new Uint8Array(177)), -errno.ENOMEM)
  })
})
