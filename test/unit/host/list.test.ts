// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { listDevices } from '#lib/host/list.js'
import { makeTree, removeTree } from './tree.js'
import { common, mdev, nvme, pf, vf, vfOfNetwork, vfUnbound } from './trees.js'

const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001'

async function names(options: { root: string; all?: boolean }): Promise<string[]> {
  return (await listDevices(options)).map(device => device.name)
}

describe('listDevices', () => {
  let root = ''
  afterEach(() => removeTree(root))

  it('lists every device under VFIO by name', async () => {
    root = await makeTree(common, pf, vf, mdev, nvme)
    assert.deepEqual(await names({ root }), ['0000:01:00.1', '0000:08:00.2', uuid])
  })

  it('finds them by their groups where the kernel has no class vfio-dev', async () => {
    root = await makeTree(common, pf, vf, mdev, nvme)
    await rm(join(root, '/sys/class/vfio-dev'), { recursive: true })
    assert.deepEqual(await names({ root }), ['0000:01:00.1', '0000:08:00.2', uuid])
  })

  it('leaves out what is bound elsewhere', async () => {
    root = await makeTree(common, pf, vfOfNetwork, nvme)
    assert.deepEqual(await names({ root }), ['0000:01:00.1'])
  })

  it('lists with all: the functions that a driver would migrate, and not their physical function', async () => {
    root = await makeTree(common, pf, vfUnbound, nvme)
    assert.deepEqual(await names({ root, all: true }), ['0000:01:00.1', '0000:08:00.2'])
  })

  it('lists nothing on a host without VFIO', async () => {
    root = await makeTree({ '/sys/class': null, '/proc': null })
    assert.deepEqual(await names({ root }), [])
  })
})
