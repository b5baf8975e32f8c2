// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice, pciParticipant, type Device } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'
import { Participation } from '#lib/migration/participation.js'
import { ConfigDevice } from './config_device.js'

const command = 4
const bar0 = 0x10

async function readConfig(device: Device, offset: number, length: number): Promise<string> {
  const bytes = await device.regions[7]?.read(offset, length, { force: true })
  return Buffer.from(bytes ?? []).toString('hex')
}

async function writeConfig(device: Device, offset: number, hex: string): Promise<void> {
  await device.regions[7]?.write(offset, Buffer.from(hex, 'hex'))
}

const participation = ({ clock }: Device): Participation => new Participation(pciParticipant(), { clock })

/** What the participant sends of a device that is stopped after it was told to quiesce. */
async function saved(device: Device): Promise<Uint8Array> {
  const one = participation(device)
  await one.quiesce([device])
  await device.setState('STOP_COPY')
  const [sideData] = await one.stopped([device])
  return sideData ?? assert.fail()
}

const text = (sideData: Uint8Array): string => Buffer.from(sideData).toString()

async function restore(device: Device, sideData: Uint8Array | string): Promise<void> {
  await participation(device).restored([device], [Buffer.from(sideData)])
}

describe('pciParticipant()', () => {
  it('carries command register and BARs from a source that runs to a destination that is stopped', async () => {
    await using source = await openDevice(new MockDevice())
    await using destination = await openDevice(new MockDevice())
    await writeConfig(source, command, '0604')
    await writeConfig(source, bar0, '00f0dbea')
    const sideData = await saved(source)
    await destination.setState('STOP')
    await restore(destination, sideData)
    assert.equal(await destination.state(), 'STOP')
    assert.equal(await readConfig(destination, command, 2), '0604')
    assert.equal(await readConfig(destination, bar0, 4), '00f0dbea')
  })

  it('sends it as JSON of a version', async () => {
    await using source = await openDevice(new MockDevice())
    assert.deepEqual(JSON.parse(text(await saved(source))), {
      version: 1,
      config: {
        command: 2,
        bars: [0, 0, 0, 0, 0, 0],
        barBytes: [4096, 0, 0, 0, 0, 0],
        msix: { vectors: 8, table: { bar: 0, offset: 0 }, pendingBits: { bar: 0, offset: 0x800 } },
      },
    })
  })

  it('reads at quiesce, and nothing once the device is stopped', async () => {
    const script = new ConfigDevice()
    await using source = await openDevice(script)
    const one = participation(source)
    await one.quiesce([source])
    await source.setState('STOP_COPY')
    script.log.length = 0
    await one.stopped([source])
    assert.deepEqual(script.log, [])
  })

  it('touches config space only: no BAR', async () => {
    const script = new ConfigDevice()
    script.config.setUint16(command, 0x0006, true)
    await using device = await openDevice(script)
    const sideData = await saved(device)
    script.config.setUint16(command, 0, true)
    script.log.length = 0
    await restore(device, sideData)
    const accesses = script.log.filter(entry => entry.startsWith('p'))
    assert.ok(accesses.length > 0)
    for (const access of accesses) {
      const offset = Number(/ at (\d+)/.exec(access)?.[1])
      assert.ok(offset >= 7 * 2 ** 40 && offset < 7 * 2 ** 40 + 256, access)
    }
    assert.equal(script.config.getUint16(command, true), 6)
  })

  it('leaves the bits of the command register that are the host’s, and writes nothing that is there already', async () => {
    const script = new ConfigDevice()
    script.config.setUint16(command, 0x0146, true)
    script.config.setUint32(bar0, 0xfe00_0004, true)
    await using device = await openDevice(script)
    const sideData = await saved(device)
    script.log.length = 0
    await restore(device, sideData)
    assert.deepEqual(
      script.log.filter(entry => entry.startsWith('pwrite')),
      [],
    )
    script.config.setUint16(command, 0x0100, true)
    await restore(device, sideData)
    assert.equal(script.config.getUint16(command, true), 0x0106)
    assert.deepEqual(
      script.log.filter(entry => entry.startsWith('pwrite')),
      [`pwrite 2 at ${7 * 2 ** 40 + command} by 2`],
    )
  })

  it('refuses a destination whose BARs are of other sizes', async () => {
    const [source, destination] = [new ConfigDevice(), new ConfigDevice()]
    destination.barBytes[2] = 0x4000
    await using from = await openDevice(source)
    await using to = await openDevice(destination)
    await assert.rejects(restore(to, await saved(from)), {
      code: 'ERR_VFIO_PARTICIPANT',
      message: `The participant failed at 'restored': BAR 2 of 'scripted' has 16384 bytes, that of the source 0`,
    })
  })

  it('refuses a destination whose MSI-X is another, and says both', async () => {
    const [source, destination] = [new ConfigDevice(), new ConfigDevice()]
    source.addMsix({ vectors: 16, table: 0x2003, pendingBits: 0x3003 })
    await using from = await openDevice(source)
    await using to = await openDevice(destination)
    const sideData = await saved(from)
    await assert.rejects(
      restore(to, sideData),
      /'scripted' has no MSI-X, the source has 16 MSI-X vectors with the table at 0x2000 of BAR 3 and the pending bits at 0x3000 of BAR 3/,
    )
    for (const other of [
      { vectors: 8, table: 0x2003, pendingBits: 0x3003 },
      { vectors: 16, table: 0x2004, pendingBits: 0x3003 },
      { vectors: 16, table: 0x2003, pendingBits: 0x3803 },
    ]) {
      destination.addMsix(other)
      await assert.rejects(
        restore(to, sideData),
        /has (16|8) MSI-X vectors .*, the source has 16 MSI-X vectors/,
      )
    }
    destination.addMsix({ vectors: 16, table: 0x2003, pendingBits: 0x3003 })
    await restore(to, sideData)
  })

  it('refuses a destination that does not take what is written', async () => {
    const script = new ConfigDevice()
    script.config.setUint16(command, 6, true)
    await using device = await openDevice(script)
    const sideData = await saved(device)
    script.config.setUint16(command, 0, true)
    script.takes = false
    await assert.rejects(
      restore(device, sideData),
      /the command register of 'scripted' is 0x0 after 0x6 was written to it/,
    )
  })

  it('does not follow a list of capabilities that goes in circles, or out of config space', async () => {
    const script = new ConfigDevice()
    await using device = await openDevice(script)
    script.config.setUint16(6, 0x10, true)
    for (const [first, next] of [
      [0x40, 0x40],
      [0xf8, 0],
      [0x10, 0],
      [0, 0],
    ] as const) {
      script.config.setUint8(0x34, first)
      script.config.setUint8(0x40, 1)
      script.config.setUint8(0x41, next)
      await device.reset()
      const { config } = JSON.parse(text(await saved(device))) as { config: { msix: unknown } }
      assert.equal(config.msix, null)
    }
  })

  it('carries the config space of an mtty, which has 255 bytes and no capability', async () => {
    await using source = await openDevice(new MockDevice({ flavour: 'mtty' }))
    await using destination = await openDevice(new MockDevice({ flavour: 'mtty' }))
    const sideData = await saved(source)
    const { config } = JSON.parse(text(sideData)) as { config: { barBytes: number[]; msix: unknown } }
    assert.deepEqual([config.barBytes, config.msix], [[8, 0, 0, 0, 0, 0], null])
    await destination.setState('STOP')
    await restore(destination, sideData)
  })

  it('has nothing to carry of a device without config space, and refuses one for a source that has it', async () => {
    const script = new ConfigDevice()
    script.configBytes = 0
    await using device = await openDevice(script)
    const sideData = await saved(device)
    assert.equal(text(sideData), '{"version":1,"config":null}')
    await restore(device, sideData)
    await using other = await openDevice(new ConfigDevice())
    await assert.rejects(restore(device, await saved(other)), /has no config space, and the source has one/)
  })

  it('refuses what is no config space of ours', async () => {
    await using device = await openDevice(new MockDevice())
    await device.setState('STOP')
    const good = {
      command: 2,
      bars: [0, 0, 0, 0, 0, 0],
      barBytes: [4096, 0, 0, 0, 0, 0],
      msix: null,
    }
    for (const [sideData, why] of [
      ['', /the source has sent no config space: it needs this participant as well/],
      ['{', /is none/],
      ['[]', /is none/],
      ['null', /is none/],
      [{ version: 2, config: null }, /was sent in version 2, not 1/],
      [{ version: 1 }, /is none/],
      [{ config: null }, /is none/],
      [{ version: 1, config: {} }, /is none/],
      [{ version: 1, config: { ...good, command: 0x10000 } }, /is none/],
      [{ version: 1, config: { ...good, command: '2' } }, /is none/],
      [{ version: 1, config: { ...good, bars: [0] } }, /is none/],
      [{ version: 1, config: { ...good, bars: [0, 0, 0, 0, 0, 2 ** 32] } }, /is none/],
      [{ version: 1, config: { ...good, barBytes: [0, 0, 0, 0, 0, -1] } }, /is none/],
      [{ version: 1, config: { ...good, msix: {} } }, /is none/],
      [{ version: 1, config: { ...good, msix: { vectors: 8, table: { bar: 8, offset: 0 } } } }, /is none/],
    ] as const) {
      const bytes = typeof sideData === 'string' ? sideData : JSON.stringify(sideData)
      await assert.rejects(restore(device, bytes), why)
    }
    assert.equal(await readConfig(device, command, 2), '0200')
  })
})
