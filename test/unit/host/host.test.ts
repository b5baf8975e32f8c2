// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { findDevice } from '#lib/host/find.js'
import { hostFacts } from '#lib/host/host.js'
import { makeTree, removeTree } from './tree.js'
import { common, pf, vf } from './trees.js'

describe('hostFacts', () => {
  let root = ''
  afterEach(() => removeTree(root))

  it('gathers what an explanation needs', async () => {
    root = await makeTree(common, pf, vf, {
      '/dev/vfio/57': '',
      '/dev/iommu': '',
      '/proc/self/status':
        'Name:\tnode\nPid:\t4321\nUid:\t1000\t1001\t1000\t1000\nGid:\t100\t101\t100\t100\n',
      '/proc/self/limits':
        'Limit                     Soft Limit           Hard Limit           Units     \n' +
        'Max processes             15618                15618                processes \n' +
        'Max open files            1024                 524288               files     \n',
      '/proc/977/comm': 'qemu-system-x86\n',
      '/proc/977/fd/12': '-> /dev/vfio/57',
    })
    await chmod(join(root, '/dev/vfio/57'), 0o600)
    const { uid, gid, nodes, ...facts } = await gather(root)
    assert.deepEqual(facts, {
      process: { pid: 4321, uid: 1001, gid: 101, openFilesLimit: 1024 },
      holders: { processes: [{ pid: 977, comm: 'qemu-system-x86' }], complete: true },
      group: [{ name: '0000:08:00.2', driver: 'mlx5_vfio_pci' }],
    })
    assert.deepEqual(nodes[0], { path: '/dev/vfio/57', uid, gid, mode: 0o600 })
    assert.deepEqual(
      nodes.map(node => node.path),
      ['/dev/vfio/57', '/dev/iommu'],
    )
  })
})

async function gather(root: string) {
  const device = await findDevice('0000:08:00.2', { root })
  const { kernel, ...facts } = await hostFacts(device, { root })
  assert.equal(kernel.release, '6.12.107')
  return { uid: process.getuid?.(), gid: process.getgid?.(), ...facts }
}
