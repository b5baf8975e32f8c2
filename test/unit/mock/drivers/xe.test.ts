// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { errno } from '#lib/kernel/errno.js'
import { Opened, bytes, saved } from './opened.ts'

/** Version 1, type, tile 0, GT 0, no flags; offset; size. */
const header = (type: string, size: string): Buffer =>
  bytes('01', type, '0000 00000000 0000000000000000', size, '000000000000')
/** Two keys of one word: the device's id and its revision. */
const descriptor = Buffer.concat([header('01', '1000'), bytes('010001f0 0be20000 010002f0 00000000')])
const trailer = header('02', '0000')
const vram = 8192

const open = (options: object = {}): Opened => new Opened({ flavour: 'xe', size: '8KiB', ...options })

/** The packets of a device that has made two steps, one after another. */
async function packets(): Promise<Buffer[]> {
  const device = open()
  device.mock.step(2)
  const stream = await saved(device)
  const list: Buffer[] = []
  for (let at = 0; at < stream.length;) {
    const end = at + 24 + stream.readUInt32LE(at + 16)
    list.push(stream.subarray(at, end))
    at = end
  }
  return list
}

describe('a mock of xe', () => {
  it('gives packets: descriptor, GuC, GGTT, MMIO, VRAM, trailer', async () => {
    const list = await packets()
    assert.deepEqual(list[0], descriptor)
    assert.deepEqual(
      list.map(packet => packet.subarray(0, 24)),
      [
        header('01', '1000'),
        header('05', '5000'),
        header('03', '4000'),
        header('04', '1000'),
        header('06', '0020'),
        header('02', '0000'),
      ],
    )
    assert.equal(list[4]?.readUInt32LE(24 + 4), 1, 'page 0 was written by step 0')
  })

  it('announces its resources with a header each, without descriptor and trailer', async () => {
    assert.equal(await open().calls.dataSize(), 4 * 24 + 80 + 64 + 16 + vram)
  })

  it('has no pre-copy', async () => {
    assert.equal(await open().calls.migrationFlags(), 3)
    assert.equal((await (await open().session('STOP_COPY')).precopyInfo()).result, -errno.ENOTTY)
  })

  it('sleeps in a read until it has what was asked for', async () => {
    const device = open({ latency: { SAVE: '5s' } })
    const session = await device.session('STOP_COPY')
    assert.equal(device.clock.now(), 0, 'the SET does not wait')
    assert.equal((await session.read(40, 0)).result, 40, 'the descriptor is there')
    assert.equal(device.clock.now(), 0)
    assert.equal((await session.read(24, 0)).result, 24)
    assert.equal(device.clock.now(), 5000)
  })

  it('answers EIO to a read when its SAVE fails, and to leaving STOP_COPY, which keeps no session', async () => {
    const device = open()
    device.mock.inject({ on: 'SAVE', status: 1 })
    const session = await device.session('STOP_COPY')
    assert.equal((await session.read(1000, 0)).result, -errno.EIO)
    assert.equal((await device.set('STOP')).result, -errno.EIO)
    assert.equal(await device.calls.getState(), 3)
    assert.equal((await session.read(1000, 0)).result, -errno.ENODEV)
  })

  it('answers EIO to leaving STOP_COPY before its SAVE has ended, and 0 after', async () => {
    const device = open({ latency: { SAVE: '5s' } })
    await device.session('STOP_COPY')
    assert.equal((await device.set('STOP')).result, -errno.EIO)
    await device.clock.sleep(5000)
    await device.to('STOP')
  })

  it('loads what another saved, in writes of any length', async () => {
    const [source, target] = [open({ seed: 1 }), open({ seed: 2 })]
    source.mock.step(3)
    const stream = await saved(source)
    const session = await target.session('RESUMING')
    for (let at = 0; at < stream.length; at += 1000)
      await session.write(stream.subarray(at, Math.min(at + 1000, stream.length)))
    await target.to('RUNNING')
    assert.equal(target.mock.digest(), source.mock.digest())
  })

  it('waits 20 seconds for a trailer that does not come, and keeps no session', async () => {
    const device = open()
    const session = await device.session('RESUMING')
    assert.equal(await session.write(descriptor), 40)
    assert.equal((await device.set('STOP')).result, -errno.ETIMEDOUT)
    assert.equal(device.clock.now(), 20_000)
    assert.equal(await device.calls.getState(), 4)
    assert.equal(await session.write(trailer), -errno.ENODEV)
  })

  const refused: Record<string, [Buffer, number]> = {
    'a later version': [bytes('02', '01', '0000'.repeat(11)), -errno.EINVAL],
    'a GT that it does not have': [bytes('01', '03', '00', '01', '00'.repeat(20)), -errno.EINVAL],
    'a packet of no type': [header('00', '0000'), -errno.EINVAL],
    'the descriptor of another device': [
      Buffer.concat([header('01', '0800'), bytes('010001f0 0ce20000')]),
      -errno.ENODEV,
    ],
    'a descriptor that is cut off': [Buffer.concat([header('01', '0400'), bytes('010001f0')]), -errno.EINVAL],
    'a trailer with something in it': [Buffer.concat([header('02', '0100'), bytes('00')]), -errno.EINVAL],
    'a packet that no memory is enough for': [
      bytes('01', '03', '00'.repeat(17), '80', '00'.repeat(4)),
      -errno.ENOMEM,
    ],
  }
  for (const [what, [packet, answer]] of Object.entries(refused)) {
    it(`refuses ${what} in the write of it`, async () => {
      assert.equal(await (await open().session('RESUMING')).write(packet), answer)
    })
  }

  it('takes keys and packets that it does not know', async () => {
    const session = await open().session('RESUMING')
    const unknown = [header('01', '0800'), bytes('01000000 ffffffff'), header('63', '0200'), bytes('0000')]
    assert.equal(await session.write(Buffer.concat(unknown)), 58)
  })

  it('tells of a packet that does not suit with the next one, and when RESUMING is left', async () => {
    const device = open()
    const session = await device.session('RESUMING')
    assert.equal(await session.write(Buffer.concat([header('04', '0400'), bytes('00000000')])), 28)
    assert.equal(await session.write((await packets())[1] ?? Buffer.alloc(0)), -errno.EIO)
    assert.equal((await device.set('STOP')).result, -errno.EIO)
    assert.equal(await device.calls.getState(), 4)
  })

  it('answers EIO when RESUMING is left with what its device does not take', async () => {
    const device = open()
    const session = await device.session('RESUMING')
    const list = await packets()
    assert.equal(await session.write(Buffer.concat([...list.slice(0, 4), trailer])), 40 + 104 + 88 + 40 + 24)
    assert.equal((await device.set('STOP')).result, -errno.EIO)
  })

  it('answers EPERM after a SET that the table refuses, until a reset', async () => {
    const device = open()
    assert.equal((await device.set('PRE_COPY')).result, -errno.EINVAL)
    assert.equal((await device.set('RUNNING_P2P')).result, -errno.EPERM)
    assert.throws(() => device.mock.step(1), /does not run/)
    assert.equal(await device.calls.reset(), 0)
    await device.to('STOP')
  })
})
