// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { errno } from '#lib/kernel/errno.js'
import { Opened, bytes, drain, saved } from './opened.ts'

/** The preamble of a part: magic, version 1, its own length, the number of sections and their bytes. */
const preamble = (sections: string, length: string): Buffer =>
  bytes('eacaf5ad 01000000 1000', sections, length)
const text = (id: string): string => Buffer.from(id.padEnd(8, '\0')).toString('hex')
const section = (id: string, length: string, children: string): Buffer => bytes(text(id), length, children)

const setup = Buffer.concat([
  preamble('0100', '4a000000'),
  section('CONFIG', '3a000000', '03000000'),
  ...[section('gencap', '04000000', '00000000'), bytes('ff030000')],
  ...[section('svcmap', '02000000', '00000000'), bytes('9204')],
  ...[section('extdc', '04000000', '00000000'), bytes('01000000')],
])

const open = (): Opened => new Opened({ flavour: 'qat' })

/** The block of a device that has made seven steps. */
async function block(): Promise<Buffer> {
  const source = open()
  source.mock.step(7)
  return await saved(source)
}

describe('a mock of qat', () => {
  it('gives its setup in pre-copy, then 0, and one block of 4096 bytes in the end', async () => {
    const device = open()
    const session = await device.session('PRE_COPY')
    assert.equal((await session.precopyInfo()).initialBytes, 90)
    assert.deepEqual(await drain(session), { bytes: setup, last: 0 })
    assert.deepEqual(await session.precopyInfo(), { result: 0, initialBytes: 0, dirtyBytes: 0, flags: 0 })
    await device.to('STOP_COPY')
    const { bytes: rest, last } = await drain(session)
    assert.deepEqual([rest.length, last], [4096 - 90, 0])
    assert.equal(await device.calls.dataSize(), 4096)
  })

  it('has the state behind the setup: three sections, with seed and epoch in the rings of the first bank', async () => {
    const state = (await block()).subarray(90)
    assert.deepEqual(state.subarray(0, 16), preamble('0300', 'ba080000'))
    assert.deepEqual(state.subarray(16, 32), section('GENER', '32000000', '03000000'))
    assert.deepEqual(state.subarray(82, 98), section('MISCBAR', '78000000', '06000000'))
    assert.deepEqual(state.subarray(218, 234), section('ETRBAR', 'e0070000', '04000000'))
    assert.deepEqual(state.subarray(234, 250), section('bnk0', 'e8010000', '01000000'))
    assert.deepEqual(state.subarray(250, 266), section('mregs', 'd8010000', '00000000'))
    assert.equal(state.toString('hex', 266 + 88, 266 + 96), '0807060504030201')
    assert.equal(state.toString('hex', 266 + 112, 266 + 120), '0700000000000000')
  })

  it('loads what another saved when RESUMING is left', async () => {
    const device = new Opened({ flavour: 'qat', seed: 5 })
    const session = await device.session('RESUMING')
    assert.equal(await session.write(await block()), 4096)
    assert.equal(device.mock.epoch, 0n)
    await device.to('RUNNING')
    assert.equal(device.mock.epoch, 7n)
    assert.equal(device.mock.seed, 0x0102_0304_0506_0708n)
  })

  const others: Record<string, [offset: number, value: number]> = {
    'another magic': [0, 1],
    'a later version': [4, 2],
    'no section of what it can do': [32, 0],
    'what it cannot do': [48, 0x7ff],
    'rings that serve something else': [68, 0x7865_0493],
  }
  for (const [what, [offset, value]] of Object.entries(others)) {
    it(`refuses ${what} with EINVAL, in the write that completes the setup`, async () => {
      const session = await open().session('RESUMING')
      const stream = Buffer.from(setup)
      stream.writeUInt32LE(value, offset)
      assert.equal(await session.write(stream.subarray(0, 89)), 89)
      assert.equal(await session.write(stream.subarray(89)), -errno.EINVAL)
    })
  }

  const broken: Record<string, [offset: number, value: number]> = {
    'sections that go over the end of the setup': [24, 0x3b],
    'sections that go over the end of theirs': [60, 0xffff],
    'more sections than there are': [10, 2],
  }
  for (const [what, [offset, value]] of Object.entries(broken)) {
    it(`refuses ${what} with EINVAL`, async () => {
      const session = await open().session('RESUMING')
      const stream = Buffer.from(setup)
      stream.writeUInt16LE(value, offset)
      assert.equal(await session.write(stream), -errno.EINVAL)
    })
  }

  it('refuses a state that lacks what is looked for', async () => {
    const stream = await block()
    for (const [offset, what] of [
      [90, 'its preamble'],
      [90 + 16, 'GENER'],
      [90 + 32 + 8, 'a byte of iovinit'],
      [90 + 98, 'no register that is loaded'],
      [90 + 98 + 20, 'a register'],
      [90 + 234, 'a bank'],
      [90 + 250, 'the registers of a bank'],
    ] as const) {
      const device = open()
      const session = await device.session('RESUMING')
      const changed = Buffer.from(stream)
      changed[offset] = (changed[offset] ?? 0) ^ 0x04
      assert.equal(await session.write(changed), 4096)
      const expected = what === 'no register that is loaded' ? 0 : -errno.EINVAL
      assert.equal((await device.set('STOP')).result, expected, what)
    }
  })

  it('refuses a setup that cannot fit as soon as its length is there', async () => {
    const session = await open().session('RESUMING')
    assert.equal(await session.write(preamble('0100', 'f10f0000')), -errno.EINVAL)
  })

  it('takes a setup of a device that can do less', async () => {
    const session = await open().session('RESUMING')
    const stream = Buffer.from(setup)
    stream.writeUInt32LE(1, 48)
    assert.equal(await session.write(stream), 90)
  })

  it('writes its setup once: what was loaded over it is what it gives out, until a reset', async () => {
    const device = open()
    await drain(await device.session('PRE_COPY'))
    await device.to('RUNNING')
    const remote = await block()
    remote.writeUInt32LE(0x1ff, 48)
    assert.equal(await (await device.session('RESUMING')).write(remote), 4096)
    await device.to('RUNNING')
    const given = (await drain(await device.session('PRE_COPY'))).bytes
    assert.equal(given.readUInt32LE(48), 0x1ff)
    assert.equal(await device.calls.reset(), 0)
    assert.deepEqual((await drain(await device.session('PRE_COPY'))).bytes, setup)
  })

  it('stays in RESUMING with EINVAL where the state is missing', async () => {
    const device = open()
    const session = await device.session('RESUMING')
    assert.equal(await session.write(setup), 90)
    assert.equal((await device.set('STOP')).result, -errno.EINVAL)
    assert.equal(await session.write((await block()).subarray(90)), 4096 - 90)
    await device.to('STOP')
    assert.equal(await session.write(Uint8Array.of(0)), -errno.ENODEV)
  })

  it('takes what an earlier session left in its block for what is missing', async () => {
    const device = open()
    device.mock.step(3)
    await saved(device)
    await device.to('STOP')
    const session = await device.session('RESUMING')
    assert.equal(await session.write(setup), 90)
    await device.to('STOP')
    assert.equal(device.mock.epoch, 3n)
  })

  it('takes no byte more than its block has', async () => {
    assert.equal(await (await open().session('RESUMING')).write(new Uint8Array(4097)), -errno.ENOMEM)
  })

  it('does not look at whether the device goes on', async () => {
    const device = open()
    await device.to('RUNNING_P2P')
    device.mock.inject({ on: 'RESUME_RESPONDER', errno: 'ETIMEDOUT' })
    await device.to('RUNNING')
    assert.throws(() => device.mock.step(1), /does not run/)
  })
})
