// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drive } from '#lib/cli/schemas/drive.js'
import { list } from '#lib/cli/schemas/list.js'
import { load } from '#lib/cli/schemas/load.js'
import { move } from '#lib/cli/schemas/move.js'
import { reset } from '#lib/cli/schemas/reset.js'
import { save } from '#lib/cli/schemas/save.js'
import { show } from '#lib/cli/schemas/show.js'
import { state } from '#lib/cli/schemas/state.js'
import { openDevice } from '#lib/index.js'
import { jsonOf, vfioMigrate } from './command_line.ts'
import { createMtty, type Mtty } from './mtty.ts'
import { streamOf } from './mtty_stream.ts'
import { isAtLeast } from './release.ts'
import { readPort, writePort } from './uart.ts'
import { bindToVfioPci } from './vf.ts'

const port = { scratch: 0x3c, fifo: [7, 8] }

/** Writes registers; they stay when an mtty is closed. */
async function fill({ uuid }: Mtty): Promise<void> {
  await using device = await openDevice(uuid)
  await writePort(device, 0, port)
}

async function check({ uuid }: Mtty): Promise<void> {
  await using device = await openDevice(uuid)
  assert.deepEqual(await readPort(device, 0), port)
}

describe('vfio-migrate on real devices', () => {
  let directory: string
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-cli-'))
  })
  after(() => {
    rmSync(directory, { recursive: true })
  })

  it('lists and shows an mtty and a PCI function that does not migrate', async () => {
    await using mtty = await createMtty('mtty-2')
    await using function_ = await bindToVfioPci()
    const { devices } = await jsonOf(list, 'list')
    const names = devices.map(({ name }) => name)
    assert.deepEqual(names, [function_.address, mtty.uuid].toSorted())
    const { device } = await jsonOf(show, 'show', mtty.uuid)
    assert.deepEqual([device.mdevType, device.migratable], ['mtty-2', true])
    assert.equal(device.features?.length, isAtLeast(6, 18) ? 4 : undefined)
    const plain = await jsonOf(show, 'show', function_.address)
    assert.deepEqual([plain.device.driver, plain.device.migratable], ['vfio-pci', false])
    const { stdout } = await vfioMigrate(['list'])
    for (const name of names) assert.ok(stdout.toString().includes(name), stdout.toString())
  })

  it('tells the state of a device that somebody else drives', async () => {
    await using mtty = await createMtty()
    await using device = await openDevice(mtty.uuid)
    await device.setState('RUNNING_P2P')
    const told = await jsonOf(state, 'state', mtty.uuid)
    assert.deepEqual([told.state, told.source], ['RUNNING_P2P', 'debugfs'])
    const { stdout } = await vfioMigrate(['state', mtty.uuid])
    assert.equal(stdout.toString(), 'RUNNING_P2P\n')
  })

  it('drives a device through states and reads what it gives out', async () => {
    await using mtty = await createMtty()
    const { before, steps, state } = await jsonOf(drive, 'drive', mtty.uuid, 'PRE_COPY,STOP_COPY,RUNNING')
    assert.deepEqual([before, state], ['RUNNING', 'RUNNING'])
    assert.deepEqual(
      steps.map(({ bytesRead }) => bytesRead),
      [24, 36, undefined],
    )
    assert.deepEqual([steps[0]?.precopy?.initialBytes, steps[1]?.stopCopyBytes], [24, 60])
    assert.deepEqual(
      steps[1]?.arcs.map(({ to }) => to),
      ['PRE_COPY_P2P', 'STOP_COPY'],
    )
    const { stdout } = await vfioMigrate(['drive', mtty.uuid, 'STOP', '--direct'])
    assert.match(stdout.toString(), /^RUNNING +→ STOP +[\d.]+ ms\n/)
  })

  it('resets', async () => {
    await using mtty = await createMtty()
    const told = await jsonOf(reset, 'reset', mtty.uuid, '--yes')
    assert.equal(told.state, 'RUNNING')
  })

  it('saves into a file and loads from it', async () => {
    await using from = await createMtty()
    await using to = await createMtty()
    await fill(from)
    const file = join(directory, 'state')
    const saved = await jsonOf(save, 'save', from.uuid, '--raw', '-o', file)
    assert.deepEqual([saved.bytes, saved.precopyBytes, saved.state], [60, 24, 'STOP'])
    assert.deepEqual(readFileSync(file), streamOf('mtty-1', [port]))
    const loaded = await jsonOf(load, 'load', to.uuid, '--raw', '-i', file, '--release')
    assert.deepEqual([loaded.bytes, loaded.state, loaded.keeping], [60, 'RUNNING', 'release'])
    await check(to)
  })

  it('saves to stdout and loads from stdin', async () => {
    await using from = await createMtty()
    await using to = await createMtty()
    await fill(from)
    const { exit, stdout } = await vfioMigrate(['save', from.uuid, '--raw', '-o', '-', '--resume-source'])
    assert.equal(exit, 0)
    assert.deepEqual(stdout, streamOf('mtty-1', [port]))
    const loaded = await vfioMigrate(['load', to.uuid, '--raw', '-i', '-', '--release'], stdout)
    assert.equal(loaded.exit, 0, loaded.stderr)
    await check(to)
  })

  it('moves a state and says what becomes of the destination', async () => {
    await using from = await createMtty()
    await using to = await createMtty()
    await fill(from)
    const report = await jsonOf(move, 'move', from.uuid, to.uuid, '--release')
    console.log(`      ${report.totalMs.toFixed(1)} ms, ${report.downtimeMs.toFixed(1)} ms of them stopped`)
    const states = report.devices.map(({ source, destination }) => [source.state, destination.state])
    assert.deepEqual(states, [['STOP', 'RUNNING']])
    assert.deepEqual([report.bytes, report.precopyBytes, report.keeping], [60, 24, 'release'])
    await check(to)
  })

  it('hands the destination to a program, whose exit status is its own', async () => {
    await using from = await createMtty()
    await using to = await createMtty()
    await fill(from)
    const script = 'echo $VFIO_MIGRATE_DEVICE; readlink /proc/self/fd/$VFIO_MIGRATE_DEVICE_FD; exit 5'
    const words = ['move', from.uuid, to.uuid, '--exec', '/bin/sh', '-c', script]
    const { exit, stdout, stderr } = await vfioMigrate(words)
    assert.equal(exit, 5, stderr)
    assert.match(stdout.toString(), new RegExp(`^${to.uuid}\n/dev/vfio/devices/vfio\\d+\n$`))
    await check(to)
  })
})
