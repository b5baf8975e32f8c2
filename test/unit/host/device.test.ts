// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readDevice } from '#lib/host/device.js'
import { makeTree, removeTree, unprivileged } from './tree.js'
import { common, mdev, noiommu, nvme, pf, vf, vfUnbound } from './trees.js'

const vfPath = '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.2'
const mdevPath = '/sys/devices/virtual/mtty/mtty/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001'

describe('readDevice', () => {
  let root = ''
  before(async () => {
    root = await makeTree(common, pf, vf, mdev, nvme)
  })
  after(() => removeTree(root))

  it('reads a virtual function under a variant driver', async () => {
    assert.deepEqual(await readDevice(vfPath, { root, state: true }), {
      name: '0000:08:00.2',
      kind: 'pci',
      sysfsPath: vfPath,
      driver: 'mlx5_vfio_pci',
      vfio: true,
      iommuGroup: 57,
      groupNode: '/dev/vfio/57',
      noiommu: false,
      cdev: { name: 'vfio3', node: '/dev/vfio/devices/vfio3', dev: '246:3' },
      pci: {
        vendor: '15b3',
        device: '101e',
        subsystemVendor: '15b3',
        subsystemDevice: '0041',
        class: '020000',
      },
      physfn: { name: '0000:08:00.0', driver: 'mlx5_core' },
      numaNode: 0,
      mdevType: undefined,
      migration: { state: 'RUNNING', features: ['stop-copy', 'p2p', 'pre-copy', 'dirty-tracking'] },
      debugfs: 'readable',
    })
  })

  it('reads an mdev, whose group has no noiommu prefix although its name says noiommu', async () => {
    const device = await readDevice(mdevPath, { root, state: true })
    assert.equal(device.kind, 'mdev')
    assert.equal(device.driver, 'mtty')
    assert.equal(device.mdevType, 'mtty-1')
    assert.equal(device.groupNode, '/dev/vfio/0')
    assert.equal(device.noiommu, false)
    assert.equal(device.pci, undefined)
  })

  it('leaves the features undefined where the kernel has no such file, as 6.12', async () => {
    const device = await readDevice(mdevPath, { root, state: true })
    assert.deepEqual(device.migration, { state: 'RUNNING', features: undefined })
  })

  it('leaves the state alone unless it is asked for', async () => {
    const device = await readDevice(vfPath, { root })
    assert.equal(device.migration?.state, undefined)
  })

  it('finds no migration for a device of plain vfio-pci', async () => {
    const device = await readDevice('/sys/devices/pci0000:00/0000:00:02.0/0000:01:00.1', { root })
    assert.equal(device.migration, undefined)
    assert.equal(device.debugfs, 'readable')
    assert.equal(device.numaNode, undefined)
  })
})

describe('readDevice, on other hosts', () => {
  let root = ''
  afterEach(() => removeTree(root))

  it('finds no node for a function that is bound to nothing', async () => {
    root = await makeTree(common, pf, vfUnbound)
    const device = await readDevice(vfPath, { root })
    assert.equal(device.driver, undefined)
    assert.equal(device.vfio, false)
    assert.equal(device.groupNode, undefined)
    assert.equal(device.cdev, undefined)
    assert.equal(device.iommuGroup, 57)
  })

  it('finds the noiommu node and no node of its own for a device without an IOMMU', async () => {
    root = await makeTree(common, noiommu)
    const device = await readDevice('/sys/devices/pci0000:00/0000:00:04.0', { root })
    assert.equal(device.groupNode, '/dev/vfio/noiommu-0')
    assert.equal(device.noiommu, true)
    assert.equal(device.vfio, true)
    assert.equal(device.cdev, undefined)
  })

  it('says absent where debugfs has nothing of VFIO', async () => {
    root = await makeTree(common, pf, vf)
    await rm(join(root, '/sys/kernel/debug/vfio'), { recursive: true })
    const device = await readDevice(vfPath, { root })
    assert.equal(device.debugfs, 'absent')
    assert.equal(device.migration, undefined)
  })

  it('says denied where debugfs is closed to us', async () => {
    root = await makeTree(common, pf, vf)
    await chmod(join(root, '/sys/kernel/debug'), 0)
    const device = await unprivileged(root, () => readDevice(vfPath, { root }))
    await chmod(join(root, '/sys/kernel/debug'), 0o700)
    assert.equal(device.debugfs, 'denied')
    assert.equal(device.migration, undefined)
  })

  it('knows a VFIO driver by its name where the kernel has no class vfio-dev', async () => {
    root = await makeTree(common, pf, vf)
    await rm(join(root, '/sys/class/vfio-dev'), { recursive: true })
    await rm(join(root, vfPath, 'vfio-dev'), { recursive: true })
    const device = await readDevice(vfPath, { root })
    assert.equal(device.vfio, true)
    assert.equal(device.cdev, undefined)
    assert.equal(device.groupNode, '/dev/vfio/57')
  })
})
