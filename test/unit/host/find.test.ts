// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { findDevice } from '#lib/host/find.js'
import { makeTree, removeTree } from './tree.js'
import { common, mdev, nvme, pf, vf, vfUnbound } from './trees.js'

const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001'

describe('findDevice', () => {
  let root = ''
  before(async () => {
    root = await makeTree(common, pf, vf, mdev, nvme)
  })
  after(() => removeTree(root))

  const spellings = {
    'a PCI address': ['0000:08:00.2', '0000:08:00.2'],
    'a PCI address without its domain': ['08:00.2', '0000:08:00.2'],
    'an mdev UUID in capitals': [uuid.toUpperCase(), uuid],
    'the name of a cdev': ['vfio3', '0000:08:00.2'],
    'the node of a cdev': ['/dev/vfio/devices/vfio0', uuid],
    'the node of a group': ['/dev/vfio/57', '0000:08:00.2'],
    'a link in sysfs': ['/sys/bus/pci/devices/0000:01:00.1', '0000:01:00.1'],
    'a directory in sysfs': [`/sys/devices/virtual/mtty/mtty/${uuid}`, uuid],
  }
  for (const [what, [spelling = '', name]] of Object.entries(spellings)) {
    it(`finds a device by ${what}`, async () => {
      assert.equal((await findDevice(spelling, { root })).name, name)
    })
  }

  it('finds a physical function that VFIO has nothing to do with', async () => {
    const device = await findDevice('0000:08:00.0', { root })
    assert.equal(device.driver, 'mlx5_core')
    assert.equal(device.vfio, false)
  })

  it('names the devices that there are, the nearest first', async () => {
    await assert.rejects(findDevice('0000:08:00.7', { root }), {
      name: 'VfioError',
      code: 'ERR_VFIO_NO_DEVICE',
      device: '0000:08:00.7',
      message: `There is no device '0000:08:00.7'. Under VFIO here: 0000:08:00.2, 0000:01:00.1, ${uuid}.`,
    })
  })

  for (const name of ['vfio9', '/dev/vfio/99', '/sys/bus/pci', '/sys/none', uuid.replace('1001', '1002')]) {
    it(`finds nothing by ${name}`, async () => {
      await assert.rejects(findDevice(name, { root }), { code: 'ERR_VFIO_NO_DEVICE' })
    })
  }

  for (const name of ['', 'eth0', '/dev/vfio/vfio', '../../etc', '08:00']) {
    it(`tells how a device is named when asked for '${name}'`, async () => {
      const message = new RegExp(
        `^'${name}' names no device. A device is named by a PCI address, an mdev UUID`,
      )
      await assert.rejects(findDevice(name, { root }), { code: 'ERR_VFIO_NO_DEVICE', message })
    })
  }
})

describe('findDevice, on other hosts', () => {
  let root = ''
  afterEach(() => removeTree(root))

  it('tells that a physical function has none of its virtual functions', async () => {
    root = await makeTree(common, pf, {
      '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/sriov_numvfs': '0\n',
    })
    await assert.rejects(findDevice('08:00.2', { root }), {
      message:
        "There is no device '08:00.2'. 0000:08:00.0 has none of its 8 virtual functions: " +
        'echo 1 > /sys/bus/pci/devices/0000:08:00.0/sriov_numvfs makes one. ' +
        'No device is bound to a VFIO driver here.',
    })
  })

  it('asks for one of them when a group has two', async () => {
    root = await makeTree(common, pf, vf, {
      '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.3/subsystem': '-> ../../../../bus/pci',
      '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.3/driver': '-> ../../../../bus/pci/drivers/vfio-pci',
      '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.3/iommu_group':
        '-> ../../../../kernel/iommu_groups/57',
      '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.3/vfio-dev/vfio4/device': '-> ../../../0000:08:00.3',
      '/sys/class/vfio-dev/vfio4': '-> ../../devices/pci0000:00/0000:00:01.0/0000:08:00.3/vfio-dev/vfio4',
      '/sys/kernel/iommu_groups/57/devices/0000:08:00.3':
        '-> ../../../../devices/pci0000:00/0000:00:01.0/0000:08:00.3',
    })
    await assert.rejects(findDevice('/dev/vfio/57', { root }), {
      code: 'ERR_VFIO_NO_DEVICE',
      message: 'IOMMU group 57 has 2 devices under VFIO. Name one of them: 0000:08:00.2, 0000:08:00.3.',
    })
  })

  it('finds the one function of a group that VFIO does not have yet', async () => {
    root = await makeTree(common, pf, vfUnbound)
    assert.equal((await findDevice('/dev/vfio/57', { root })).name, '0000:08:00.2')
  })
})
