// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice, type Device, type Region } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

const command = 4
const busMaster = 0x4

function region(device: Device, index: number): Region {
  const found = device.regions[index]
  if (found === undefined) throw new Error(`region ${index} is missing`)
  return found
}

async function word(device: Device, offset: number): Promise<number> {
  return Buffer.from(await region(device, 7).read(offset, 2)).readUInt16LE()
}

async function setWord(device: Device, offset: number, value: number): Promise<void> {
  await region(device, 7).write(offset, Uint8Array.of(value & 0xff, value >> 8), { width: 2 })
}

describe("the config space of a mock's function", () => {
  it('has the ids of its driver, and an MSI-X capability', async () => {
    await using device = await openDevice(new MockDevice())
    assert.deepEqual([await word(device, 0), await word(device, 2)], [0x15b3, 0x101e])
    const [at = 0] = await region(device, 7).read(0x34, 1)
    assert.deepEqual([...(await region(device, 7).read(at, 4))], [0x11, 0, 7, 0])
  })

  it('has memory enabled and bus mastering off when it is opened', async () => {
    await using device = await openDevice(new MockDevice())
    assert.equal(await word(device, command), 0x2)
  })

  it('keeps what can be written, and leaves the rest without an error', async () => {
    await using device = await openDevice(new MockDevice())
    await setWord(device, command, 0xffff)
    assert.equal(await word(device, command), 0x406)
    await setWord(device, 0, 0)
    assert.equal(await word(device, 0), 0x15b3)
    await region(device, 7).write(0x10, Uint8Array.of(0xff, 0xff, 0xff, 0xff), { width: 4 })
    assert.deepEqual([...(await region(device, 7).read(0x10, 4))], [0, 0xf0, 0xff, 0xff])
  })

  it('is as the user left it after a reset: the kernel restores it', async () => {
    await using device = await openDevice(new MockDevice())
    await setWord(device, command, busMaster)
    await device.reset()
    assert.equal(await word(device, command), busMaster)
  })

  it('is not in the stream, and is forgotten when the last holder closes the function', async () => {
    const mock = new MockDevice()
    {
      await using device = await openDevice(mock)
      await setWord(device, command, busMaster)
    }
    await using device = await openDevice(mock)
    assert.equal(await word(device, command), 0x2)
  })

  it('has the MSI-X table in BAR 0, where vfio-pci hides it, behind the memory bit', async () => {
    await using device = await openDevice(new MockDevice())
    const bar = region(device, 0)
    assert.equal(bar.size, 4096)
    assert.deepEqual([...(await bar.read(0, 1)), ...(await bar.read(128, 1))], [0xff, 0])
    await bar.write(128, Uint8Array.of(1))
    assert.deepEqual([...(await bar.read(128, 1))], [0])
    await setWord(device, command, 0)
    await assert.rejects(bar.read(0, 1), { code: 'EIO' })
  })
})

describe('the side data of a mock', () => {
  it('is a copy of what was set, moves with no stream, and is empty when the device is opened anew', async () => {
    const [source, destination] = [new MockDevice(), new MockDevice()]
    const from = await openDevice(source)
    const to = await openDevice(destination)
    const bytes = Buffer.from('queues')
    source.sideData = bytes
    bytes.fill(0)
    await migrate({ from, to })
    assert.deepEqual(Buffer.from(source.sideData).toString(), 'queues')
    assert.equal(destination.sideData.length, 0)
    destination.sideData = source.sideData
    assert.deepEqual(destination.sideData, source.sideData)
    await Promise.all([from.close(), to.close()])
    await (await openDevice(source)).close()
    assert.equal(source.sideData.length, 0)
  })

  it('is bytes, and at most 1 MiB of them', () => {
    const mock = new MockDevice()
    assert.throws(() => (mock.sideData = 'queues' as never), { name: 'TypeError', message: /sideData/ })
    assert.throws(() => (mock.sideData = new Uint8Array(2 ** 20 + 1)), { name: 'RangeError' })
    mock.sideData = new Uint8Array(2 ** 20)
  })
})
