// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { list } from '#lib/cli/schemas/list.js'
import { show } from '#lib/cli/schemas/show.js'
import { version } from '#lib/cli/schemas/version.js'
import { failureOf, jsonOf, vfioMigrate } from './command.js'

const functions = '/sys/bus/pci/devices'
const classDirectory = '/sys/class/vfio-dev'

describe('what the command tells of this machine', () => {
  it('lists no device where none is under VFIO, and says so to the person only', async function () {
    if (existsSync(classDirectory) && readdirSync(classDirectory).length > 0) this.skip() // has devices under VFIO
    const { exit, stdout, stderr } = await vfioMigrate(['list'])
    assert.equal(exit, 0)
    assert.equal(stdout, '')
    assert.match(stderr, /No device is bound to a VFIO driver here/)
  })

  it('lists as its schema says', async () => {
    assert.equal((await jsonOf(['list'], list)).command, 'list')
    assert.ok(Array.isArray((await jsonOf(['list', '--all'], list)).devices))
  })

  it('shows any PCI function, and why it does not migrate', async function () {
    const [name] = existsSync(functions) ? readdirSync(functions) : []
    if (name === undefined) this.skip() // has no PCI
    const { device, remedy } = await jsonOf(['show', name], show)
    assert.equal(device.name, name)
    if (device.vfio) this.skip() // its first function is under VFIO
    assert.equal(device.migratable, false)
    assert.match(device.why ?? '', /^bound to /)
    assert.ok(remedy)
    const { stdout } = await vfioMigrate(['show', name])
    assert.match(stdout, /^migrates +no: bound to /m)
    assert.equal((await failureOf(['state', name], 3)).code, 'ERR_VFIO_NOT_MIGRATABLE')
  })

  it('refuses a PCI function as a source by path: opening it resets it', async function () {
    const [name] = existsSync(functions) ? readdirSync(functions) : []
    if (name === undefined) this.skip() // has no PCI
    for (const words of [
      ['save', name, '--raw', '-o', '/no/such/directory/state'],
      ['move', name, 'fd:987', '--release'],
    ]) {
      const { code, message } = await failureOf(words, 2)
      assert.equal(code, 'ERR_VFIO_USAGE')
      assert.match(message, /opening it by path resets it.*fd:N.*--blank-source/)
    }
  })

  it('tells its versions, and whether the addon loads', async () => {
    const told = await jsonOf(['version'], version)
    const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    assert.equal(told.version, own.version)
    assert.equal(told.node, process.versions.node)
    assert.equal(told.addon.loaded, told.addon.why === undefined)
    const { stdout } = await vfioMigrate(['--version'])
    assert.match(stdout, new RegExp(`^vfio-migrate +${own.version}$`, 'm'))
  })
})
