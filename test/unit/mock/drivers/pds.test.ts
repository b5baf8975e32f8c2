// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { errno } from '#lib/kernel/errno.js'
import { Opened, saved } from './opened.ts'

const open = (seed = 1): Opened => new Opened({ flavour: 'pds', seed, size: '8KiB' })

describe('a mock of pds', () => {
  it('has no pre-copy', async () => {
    const device = open()
    assert.equal(await device.calls.migrationFlags(), 3)
    assert.equal((await device.set('PRE_COPY')).result, -errno.EINVAL)
    const session = await device.session('STOP_COPY')
    assert.equal((await session.precopyInfo()).result, -errno.ENOTTY)
  })

  it('gives what its device says that it has, and announces what a device could have', async () => {
    const device = open()
    assert.equal((await saved(device)).length, 80 + 8192)
    assert.equal(await device.calls.dataSize(), 65_536)
  })

  it('fills up with zeros what the device has estimated too high', async () => {
    const stream = await saved(new Opened({ flavour: 'pds', size: '1KiB', estimateSlack: 16 }))
    assert.equal(stream.length, 80 + 1024 + 16)
    assert.deepEqual(stream.subarray(-16), Buffer.alloc(16))
  })

  it('loads what another saved when RESUMING is left, whatever comes behind it', async () => {
    const [source, target] = [open(1), open(2)]
    source.mock.step(5)
    const session = await target.session('RESUMING')
    const stream = await saved(source)
    assert.equal(await session.write(Buffer.concat([stream, Buffer.alloc(100, 0xff)])), stream.length + 100)
    await target.to('RUNNING')
    assert.equal(target.mock.digest(), source.mock.digest())
  })

  it('looks at nothing that is written, and takes what fits', async () => {
    const session = await open().session('RESUMING')
    assert.equal(await session.write(Buffer.alloc(65_536, 0xff)), 65_536)
    assert.equal(await session.write(Uint8Array.of(1)), -errno.EINVAL)
  })

  it('answers EINVAL to a write that goes over the end, of which the first part was taken', async () => {
    const session = await open().session('RESUMING')
    assert.equal(await session.write(Buffer.alloc(65_537)), -errno.EINVAL)
  })

  for (const [what, length] of Object.entries({ nothing: 0, 'a part': 4096, 'all but a byte': 8271 })) {
    it(`stays in RESUMING with the answer of its device when it is given ${what}`, async () => {
      const device = open()
      device.mock.step(2)
      const stream = await saved(device)
      await device.to('STOP')
      const session = await device.session('RESUMING')
      // No page ends with a byte that could be missing.
      stream[8271] = 0xff
      await session.write(stream.subarray(0, length))
      assert.equal((await device.set('STOP')).result, -errno.EINVAL)
      assert.equal(await device.calls.getState(), 4)
    })
  }

  it('is in ERROR when its adapter has recovered, and then answers EIO until a reset', async () => {
    const device = open()
    const session = await device.session('STOP_COPY')
    device.mock.inject({ on: 'ADAPTER_RECOVERY' })
    assert.equal((await device.set('STOP')).result, -errno.EIO)
    assert.equal(await device.calls.getState(), 0)
    assert.equal((await session.read(100, 0)).result, -errno.ENODEV)
    assert.equal((await device.set('RUNNING')).result, -errno.EIO)
    assert.equal(await device.calls.reset(), 0)
    assert.equal(await device.calls.getState(), 2)
    await device.to('STOP')
  })

  it('ends its DMA log when STOP_COPY is left', async () => {
    const device = open()
    assert.equal(await device.calls.dmaLoggingStart(4096, BigUint64Array.of(0n, 8192n)), 4096)
    device.mock.step(1)
    assert.deepEqual((await device.calls.dmaLoggingReport(0n, 8192n, 4096)).bitmap, BigUint64Array.of(1n))
    await device.to('STOP_COPY', 'STOP')
    assert.equal((await device.calls.dmaLoggingReport(0n, 8192n, 4096)).result, -errno.EINVAL)
  })
})
