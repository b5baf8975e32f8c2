// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { pciParticipant, type Device } from '#lib/index.js'
import { openDevice } from '#lib/device/open.js'
import { Participation } from '#lib/migration/participation.js'
import { openBottle } from './bottle.ts'
import type { BottledFunction } from './bottled.ts'
import { openPair } from './opened.ts'

const command = { offset: 4, busMaster: 0x4, intxOff: 0x400 } as const
const bar0 = 0x10

async function readConfig(device: Device, offset: number, width: 2 | 4): Promise<number> {
  const bytes = await device.regions[7]?.read(offset, width, { width, force: true })
  return Buffer.from(bytes ?? []).readUIntLE(0, width)
}

async function writeConfig(device: Device, offset: number, value: number, width: 2 | 4): Promise<void> {
  const bytes = Buffer.alloc(width)
  bytes.writeUIntLE(value, 0, width)
  await device.regions[7]?.write(offset, bytes, { width })
}

/** Stops the source, restores what the participant carries into the stopped destination, and lets that run. */
async function carry(source: Device, destination: Device): Promise<string> {
  const one = new Participation(pciParticipant(), { clock: source.clock })
  await one.quiesce([source])
  await source.setState('STOP_COPY')
  const sideData = await one.stopped([source])
  await destination.setState('STOP')
  await one.restored([destination], sideData)
  assert.equal(await destination.state(), 'STOP')
  await destination.setState('RUNNING')
  return Buffer.from(sideData[0] ?? []).toString()
}

describe('pciParticipant() on real devices', () => {
  it('carries command register and BAR of a function under mlx5_vfio_pci, and finds its MSI-X', async () => {
    await using bottle = await openBottle({ size: 65_536 })
    const [from, to] = bottle.functions as [BottledFunction, BottledFunction]
    await using source = await openDevice(from.address)
    await using destination = await openDevice(to.address)
    const before = await readConfig(source, command.offset, 2)
    const wanted = (before ^ command.busMaster) | command.intxOff
    await writeConfig(source, command.offset, wanted, 2)
    await writeConfig(source, bar0, 0xfeb0_0000, 4)
    const address = await readConfig(source, bar0, 4)
    const sideData = await carry(source, destination)
    // QEMU's NVMe controller, of which these are functions, has it there.
    assert.deepEqual((JSON.parse(sideData) as { config: { msix: unknown } }).config.msix, {
      vectors: 1,
      table: { bar: 0, offset: 0x2000 },
      pendingBits: { bar: 0, offset: 0x3000 },
    })
    assert.equal(await readConfig(destination, command.offset, 2), wanted)
    assert.equal(await readConfig(destination, bar0, 4), address)
  })

  it('carries the config space of an mtty', async () => {
    await using pair = await openPair()
    await writeConfig(pair.source, bar0, 0xc000, 4)
    const address = await readConfig(pair.source, bar0, 4)
    await carry(pair.source, pair.destination)
    assert.equal(await readConfig(pair.destination, bar0, 4), address)
    assert.equal(address & ~3, 0xc000)
  })
})

describe('a region', () => {
  it('is not touched outside RUNNING and PRE_COPY unless that is forced', async () => {
    await using pair = await openPair()
    const { source } = pair
    const scratch = { offset: 7, value: Uint8Array.of(0x42) }
    await source.setState('PRE_COPY')
    await source.regions[0]?.write(scratch.offset, scratch.value)
    for (const state of ['STOP_COPY', 'STOP', 'RUNNING_P2P'] as const) {
      await source.setState(state)
      const refused = { code: 'ERR_VFIO_REGION_STATE', state }
      await assert.rejects(async () => source.regions[0]?.read(scratch.offset, 1), refused)
      await assert.rejects(async () => source.regions[0]?.write(scratch.offset, Uint8Array.of(1)), refused)
      assert.deepEqual(
        await source.regions[0]?.read(scratch.offset, 1, { force: true }),
        Buffer.from(scratch.value),
      )
    }
  })
})
