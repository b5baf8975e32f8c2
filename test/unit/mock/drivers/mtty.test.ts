// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { errno } from '#lib/kernel/errno.js'
import { VirtualClock, MockOops, resolveOptions } from '#lib/mock/index.js'
import { Core } from '#lib/mock/core.js'
import { FaultPlan } from '#lib/mock/fault_plan.js'
import { History } from '#lib/mock/history.js'
import { makeMttyOf } from '#lib/mock/drivers/mtty.js'
import { Opened, bytes, drain, saved } from './opened.ts'

/** Magic, version 1.0, one port, no flags. */
const header = bytes('4e2c3e8c89099d7e 01000000 00000000 01000000 00000000')
/** A port that nobody has touched: of its fields only max_fifo_size is not 0. */
const blankPort = bytes('00'.repeat(33), '10', '0000')
const scratch = 7

const blank = (): Opened => new Opened({ flavour: 'mtty', seed: 0 })

describe('a mock of mtty', () => {
  it('with seed 0 that has not run, is byte for byte a fresh mtty', async () => {
    assert.deepEqual(await saved(blank()), Buffer.concat([header, blankPort]))
  })

  it('gives the header in pre-copy, then a 0 that is not the end, and the port in STOP_COPY', async () => {
    const device = blank()
    const session = await device.session('PRE_COPY')
    assert.equal((await session.precopyInfo()).initialBytes, 24)
    assert.deepEqual(await drain(session), { bytes: header, last: 0 })
    assert.deepEqual(await session.precopyInfo(), { result: 0, initialBytes: 0, dirtyBytes: 0, flags: 0 })
    await device.to('STOP_COPY')
    assert.deepEqual(await drain(session), { bytes: blankPort, last: 0 })
    assert.equal((await session.precopyInfo()).result, -errno.EINVAL)
  })

  it('has 36 bytes for each port', async () => {
    const history = new History(() => 0)
    const options = resolveOptions({ flavour: 'mtty', seed: 0, clock: new VirtualClock() })
    const parts = { options, clock: options.clock, faults: new FaultPlan(), history }
    const core = new Core({ ...parts, makeDriver: makeMttyOf(2) })
    core.open()
    assert.equal(await core.dataSize(), 96)
    const session = await core.setState(3)
    assert.ok(typeof session === 'object')
    const stream = Buffer.from((await session.read(200)) as Uint8Array)
    header.writeUInt32LE(2, 16)
    assert.deepEqual(stream, Buffer.concat([header, blankPort, blankPort]))
    header.writeUInt32LE(1, 16)
  })

  it('keeps seed and epoch in the fifo', async () => {
    const device = new Opened({ flavour: 'mtty' })
    device.mock.step(3)
    const stream = await saved(device)
    assert.equal(stream.toString('hex', 32, 48), '0807060504030201' + '0300000000000000')
  })

  it('has registers: scratch is byte 7 of the port, and what is sent is in the fifo', async () => {
    const device = blank()
    assert.equal(await device.calls.regionWrite(scratch, Uint8Array.of(0x5a), 1), 1)
    assert.equal(await device.calls.regionWrite(0, Uint8Array.of(0xaa), 1), 1)
    const stream = await saved(device)
    assert.equal(stream[24 + 7], 0x5a)
    assert.equal(stream[24 + 8], 0xaa)
    assert.deepEqual([...stream.subarray(24 + 24, 24 + 27)], [1, 0, 1], 'head, tail, count')
  })

  it('gives back what was sent, as the loop that it is', async () => {
    const { calls } = blank()
    for (const byte of [1, 2, 3]) await calls.regionWrite(0, Uint8Array.of(byte), 1)
    const read = async (register: number): Promise<number | undefined> =>
      (await calls.regionRead(register, 1, 1)).data[0]
    assert.equal(await read(5), 0x01, 'data ready')
    assert.deepEqual([await read(0), await read(0), await read(0)], [1, 2, 3])
    assert.equal(await read(5), 0x60, 'empty')
  })

  it('has the regions of one port, and does not say that it can be reset', async () => {
    const { calls } = blank()
    assert.deepEqual(await calls.deviceInfo(), { result: 0, flags: 2, numRegions: 9, numIrqs: 5 })
    assert.deepEqual(await calls.regionInfo(0), { result: 0, flags: 3, size: 8, offset: 0 })
    assert.equal((await calls.regionInfo(1)).size, 0)
    assert.equal((await calls.regionInfo(7)).size, 255)
    assert.equal((await calls.regionInfo(9)).result, -errno.EINVAL)
    assert.equal((await calls.regionRead(7 * 2 ** 40, 4, 4)).data.toString(), '72,67,83,50')
    assert.equal(await calls.reset(), 0)
  })

  it('loads what another saved, registers and all', async () => {
    const [source, target] = [new Opened({ flavour: 'mtty' }), new Opened({ flavour: 'mtty', seed: 9 })]
    source.mock.step(5)
    await source.calls.regionWrite(scratch, Uint8Array.of(0x77), 1)
    const session = await target.session('RESUMING')
    assert.equal(await session.write(await saved(source)), 60)
    await target.to('RUNNING')
    assert.equal(target.mock.digest(), source.mock.digest())
    assert.equal((await target.calls.regionRead(scratch, 1, 1)).data[0], 0x77)
  })

  it('refuses a header that is not its own with EFAULT, and loads it all the same', async () => {
    const device = blank()
    const session = await device.session('RESUMING')
    const stream = Buffer.concat([header, blankPort])
    stream.writeUInt32LE(2, 16)
    stream[24 + 7] = 0x42
    assert.equal(await session.write(stream), -errno.EFAULT)
    await device.to('STOP')
    assert.equal((await device.calls.regionRead(scratch, 1, 1)).data[0], 0x42)
  })

  it('takes no byte more than its stream has', async () => {
    const session = await blank().session('RESUMING')
    assert.equal(await session.write(new Uint8Array(61)), -errno.ENOMEM)
  })

  it('stays in RESUMING with EINVAL until all is there, and takes the rest then', async () => {
    const device = blank()
    const session = await device.session('RESUMING')
    assert.equal(await session.write(Buffer.concat([header, blankPort.subarray(0, 35)])), 59)
    assert.equal((await device.set('STOP')).result, -errno.EINVAL)
    assert.equal(await device.calls.getState(), 4)
    assert.equal(await session.write(blankPort.subarray(35)), 1)
    await device.to('STOP')
    assert.equal(await session.write(Uint8Array.of(0)), -errno.ENODEV)
  })

  it('keeps its ports over a reset, which ends what is in progress', async () => {
    const device = blank()
    await device.calls.regionWrite(scratch, Uint8Array.of(1), 1)
    const session = await device.session('STOP_COPY')
    assert.equal(await device.calls.reset(), 0)
    assert.equal(await device.calls.getState(), 2)
    assert.equal((await session.read(100, 0)).result, -errno.ENODEV)
    assert.equal((await device.calls.regionRead(scratch, 1, 1)).data[0], 1)
    device.mock.step(1)
    assert.equal(device.mock.epoch, 1n)
  })

  it('keeps its state over the last close, so that the way out of RESUMING is a crash', async () => {
    const device = blank()
    await device.to('RESUMING')
    await device.reopen()
    assert.equal(await device.calls.getState(), 4)
    await assert.rejects(device.set('STOP'), MockOops)
  })

  it('has DMA logging that succeeds and logs nothing', async () => {
    const { calls } = blank()
    assert.deepEqual(await calls.dmaLoggingReport(0n, 4096n, 4096), {
      result: 0,
      bitmap: new BigUint64Array(1),
    })
    assert.equal(await calls.dmaLoggingStart(8192, BigUint64Array.of(0n, 8192n)), 8192)
    assert.equal(await calls.dmaLoggingStop(), 0)
    assert.equal(await calls.dataSize(), 60)
  })
})
