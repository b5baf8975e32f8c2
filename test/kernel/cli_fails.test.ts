// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findDevice, openDevice } from '#lib/index.js'
import { failureOf, vfioMigrate } from './command_line.ts'
import { createMtty, type Mtty } from './mtty.ts'
import { streamOf } from './mtty_stream.ts'
import { readPort, writePort } from './uart.ts'
import { bindToVfioPci } from './vf.ts'

const port = { scratch: 0x99, fifo: [1] }

/** The device is as `before` left it: its registers, and RUNNING. */
async function isUntouched({ uuid }: Mtty): Promise<void> {
  const { migration } = await findDevice(uuid, { state: true })
  assert.equal(migration?.state, 'RUNNING')
  await using device = await openDevice(uuid)
  assert.equal(device.resetAtOpen, undefined)
  assert.deepEqual(await readPort(device, 0), port)
}

async function filled(type: 'mtty-1' | 'mtty-2' = 'mtty-1'): Promise<Mtty> {
  const mtty = await createMtty(type)
  await using device = await openDevice(mtty.uuid)
  await writePort(device, 0, port)
  return mtty
}

describe('vfio-migrate with what cannot be', () => {
  let directory: string
  const file = (name: string, bytes: Uint8Array): string => {
    const path = join(directory, name)
    writeFileSync(path, bytes)
    return path
  }
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-cli-'))
  })
  after(() => {
    rmSync(directory, { recursive: true })
  })

  it('refuses a state that there is not, and a path that there is not, before it drives', async () => {
    await using mtty = await filled()
    assert.equal((await failureOf(2, 'drive', mtty.uuid, 'STOPPED')).code, 'ERR_VFIO_USAGE')
    const error = await failureOf(2, 'drive', mtty.uuid, 'STOP_COPY,PRE_COPY')
    assert.deepEqual([error.code, error.arcs], ['ERR_VFIO_NO_PATH', []])
    await isUntouched(mtty)
  })

  it('refuses a device that there is not', async () => {
    const error = await failureOf(3, 'drive', '00000000-0000-4000-8000-000000000000', 'STOP')
    assert.equal(error.code, 'ERR_VFIO_NO_DEVICE')
  })

  it('refuses to reset without being told yes', async () => {
    await using mtty = await filled()
    assert.equal((await failureOf(2, 'reset', mtty.uuid)).code, 'ERR_VFIO_USAGE')
    await isUntouched(mtty)
  })

  it('refuses an empty state before it opens the device', async () => {
    await using mtty = await filled()
    const path = file('empty', Buffer.alloc(0))
    const error = await failureOf(2, 'load', mtty.uuid, '--raw', '-i', path, '--release')
    assert.match(error.message, /is empty/)
    await isUntouched(mtty)
  })

  it('refuses to load without being told what becomes of the device', async () => {
    await using mtty = await filled()
    const path = file('whole', streamOf('mtty-1'))
    await failureOf(2, 'load', mtty.uuid, '--raw', '-i', path)
    await isUntouched(mtty)
  })

  const states = { 'cut short': streamOf('mtty-1').subarray(0, 50), 'of another type': streamOf('mtty-2') }
  for (const [what, bytes] of Object.entries(states)) {
    it(`makes a destination blank that got a state that is ${what}`, async () => {
      await using mtty = await filled()
      const path = file('bad', bytes)
      const error = await failureOf(1, 'load', mtty.uuid, '--raw', '-i', path, '--release')
      assert.deepEqual([error.device, error.state, error.recovery], [mtty.uuid, 'RUNNING', 'none'])
      assert.equal(error.code, what === 'cut short' ? 'EINVAL' : 'ENOMEM')
      await isUntouched(mtty)
    })
  }

  it('does not save where the file cannot be made, and leaves none', async () => {
    await using mtty = await filled()
    const path = join(directory, 'missing/state')
    const error = await failureOf(1, 'save', mtty.uuid, '--raw', '-o', path)
    assert.equal(error.code, 'ENOENT')
    await isUntouched(mtty)
  })

  it('does not move a device into itself, nor into one of another type', async () => {
    await using one = await filled('mtty-1')
    await using two = await filled('mtty-2')
    await failureOf(2, 'move', one.uuid, one.uuid, '--release')
    const refused = await failureOf(2, 'move', one.uuid, two.uuid, '--release')
    assert.ok(refused.findings?.some(({ id, level }) => id === 'mdev-type-differs' && level === 'refuse'))
    const forced = ['move', one.uuid, two.uuid, '--release', '--override', 'mdev-type-differs']
    assert.equal((await failureOf(1, ...forced)).cause?.code, 'EFAULT')
    await isUntouched(one)
    await isUntouched(two)
  })

  it('refuses a PCI function named by path as a source, and opens neither it nor the file', async () => {
    await using function_ = await bindToVfioPci()
    await using mtty = await filled()
    const path = join(directory, 'vf-state')
    for (const words of [
      ['save', function_.address, '--raw', '-o', path],
      ['move', function_.address, mtty.uuid, '--release'],
    ]) {
      const error = await failureOf(2, ...words)
      assert.match(error.message, /opening it by path resets it.*--blank-source/)
    }
    assert.equal(existsSync(path), false)
    await isUntouched(mtty)
  })

  it('says of a function that does not migrate why it does not, and leaves no file', async () => {
    await using function_ = await bindToVfioPci()
    const before = readdirSync(directory)
    const path = join(directory, 'vf-state')
    const error = await failureOf(3, 'save', function_.address, '--raw', '-o', path, '--blank-source')
    assert.equal(error.code, 'ERR_VFIO_NOT_MIGRATABLE')
    assert.match(error.message, /is bound to vfio-pci, which does not migrate/)
    assert.deepEqual(readdirSync(directory), before)
    const { exit } = await vfioMigrate(['drive', function_.address, 'STOP'])
    assert.equal(exit, 3)
  })

  it('says who has a device that is open', async () => {
    await using mtty = await createMtty()
    await using device = await openDevice(mtty.uuid)
    const error = await failureOf(3, 'drive', mtty.uuid, 'STOP')
    assert.equal(error.code, 'ERR_VFIO_OPEN')
    assert.ok(error.message.includes(`(pid ${process.pid})`), error.message)
    assert.equal(await device.state(), 'RUNNING')
  })
})
