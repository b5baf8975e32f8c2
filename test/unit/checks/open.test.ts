// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { VfioSystemError } from '#lib/errors.js'
import { explainOpen, explainTries } from '#lib/checks/open.js'
import type { OpenTry } from '#lib/checks/try.js'
import type { DeviceFacts, HostFacts } from '#lib/host/facts.js'
import { host, nvme, pf, unbound, vf } from './facts.js'

const node = '/dev/vfio/devices/vfio3'
const group = '/dev/vfio/57'
const bind = { via: 'cdev', step: 'VFIO_DEVICE_BIND_IOMMUFD', path: node } as const
const openCdev = { via: 'cdev', step: 'open cdev', path: node } as const
const openIommufd = { via: 'cdev', step: 'open iommufd', path: '/dev/iommu' } as const
const openGroup = { via: 'group', step: 'open group', path: group } as const
const openContainer = { via: 'group', step: 'open container', path: '/dev/vfio/vfio' } as const
const getStatus = { via: 'group', step: 'VFIO_GROUP_GET_STATUS', path: group } as const
const setContainer = { via: 'group', step: 'VFIO_GROUP_SET_CONTAINER', path: group } as const
const setIommu = { via: 'group', step: 'VFIO_SET_IOMMU', path: '/dev/vfio/vfio' } as const
const getDeviceFd = { via: 'group', step: 'VFIO_GROUP_GET_DEVICE_FD', path: group } as const

const [EPERM, ENOENT, EIO, ENXIO, EAGAIN, ENOMEM, EACCES] = [-1, -2, -5, -6, -11, -12, -13]
const [EBUSY, ENODEV, EINVAL, EMFILE] = [-16, -19, -22, -24]

const remappingOff: HostFacts = { ...host, kernel: { ...host.kernel, interruptRemapping: false } }
const unsafe = { ...remappingOff.kernel, unsafeInterrupts: { iommufd: true, type1: true } }
const shared: HostFacts = {
  ...host,
  group: [
    { name: '0000:08:00.2', driver: 'mlx5_vfio_pci' },
    { name: '0000:07:00.0', driver: 'pcieport' },
    { name: '0000:08:00.0', driver: 'mlx5_core' },
  ],
}
const withoutNodes: DeviceFacts = { ...vf, cdev: undefined, groupNode: undefined }

/** The id of the row that explains one failed way in. */
function idOf(attempt: OpenTry, device: DeviceFacts = vf, facts: HostFacts = host): string | undefined {
  return explainTries([attempt], device, facts)[0]?.id
}

describe('explainTries', () => {
  const causes: readonly [string, OpenTry, string, DeviceFacts?, HostFacts?][] = [
    ['a node that /dev lacks', { ...openCdev, result: ENOENT }, 'node-missing'],
    ['a way in that the kernel does not offer', { ...openCdev, result: ENOENT }, 'no-cdev', withoutNodes],
    ['a group that the kernel does not offer', { ...openGroup, result: ENOENT }, 'no-group', withoutNodes],
    ['a missing /dev/iommu', { ...openIommufd, result: ENOENT }, 'iommufd-missing'],
    ['a missing /dev/vfio/vfio', { ...openContainer, result: ENOENT }, 'container-missing'],
    ['a stale node', { ...openCdev, result: ENXIO }, 'device-gone'],
    ['a driver that is going away', { ...openGroup, result: ENODEV }, 'device-gone'],
    ['a closed node', { ...openGroup, result: EACCES }, 'node-permission'],
    ['a closed /dev/iommu', { ...openIommufd, result: EACCES }, 'node-permission'],
    [
      'an unsafe group without privilege',
      { ...openGroup, result: EPERM },
      'noiommu-privilege',
      { ...vf, noiommu: true },
    ],
    ['a device cgroup', { ...openCdev, result: EPERM }, 'device-cgroup'],
    ['a group that is open elsewhere', { ...openGroup, result: EBUSY }, 'group-busy'],
    ['a cdev whose group is open', { ...bind, result: EBUSY }, 'group-in-use'],
    ['a device of a group that is open here', { ...getDeviceFd, result: EBUSY }, 'open-here'],
    ['a cdev that is open elsewhere', { ...bind, result: EINVAL }, 'device-busy'],
    ['a group that is not viable', { ...getStatus, result: EPERM }, 'group-not-viable', vf, shared],
    [
      'a group shared with a kernel driver, at BIND',
      { ...bind, result: EPERM },
      'group-not-viable',
      vf,
      shared,
    ],
    [
      'a group shared with a kernel driver, at SET_CONTAINER',
      { ...setContainer, result: EBUSY },
      'group-not-viable',
      vf,
      shared,
    ],
    [
      'no interrupt remapping, at BIND',
      { ...bind, result: EPERM },
      'no-interrupt-remapping',
      vf,
      remappingOff,
    ],
    [
      'no interrupt remapping, at SET_IOMMU',
      { ...setIommu, result: EPERM },
      'no-interrupt-remapping',
      vf,
      remappingOff,
    ],
    [
      'another owner of the DMA, where unsafe interrupts are allowed',
      { ...bind, result: EPERM },
      'dma-owned',
      vf,
      { ...host, kernel: unsafe },
    ],
    ['another owner of the DMA', { ...setContainer, result: EPERM }, 'dma-owned'],
    ['a missing IOMMU driver', { ...setIommu, result: ENODEV }, 'no-iommu-backend'],
    ['a VF token that is wanted, at BIND', { ...bind, result: EACCES }, 'token-wanted'],
    ['a VF token that is wanted, in the group', { ...getDeviceFd, result: EACCES }, 'token-wanted'],
    ['a VF token that is not wanted', { ...bind, result: EINVAL, token: true }, 'token-not-wanted'],
    [
      'a VF token that is not wanted, in the group',
      { ...getDeviceFd, result: EINVAL, token: true },
      'token-not-wanted',
    ],
    ['a device that left meanwhile', { ...getDeviceFd, result: ENODEV }, 'unbound-meanwhile'],
    ['a reset under way', { ...getDeviceFd, result: EAGAIN }, 'reset-lock'],
    ['too many open files', { ...getDeviceFd, result: EMFILE }, 'too-many-files'],
    [
      'too many threads',
      { via: 'cdev', step: 'start thread', path: node, result: EAGAIN },
      'too-many-threads',
    ],
    ['no memory', { ...bind, result: ENOMEM }, 'no-memory'],
    ['anything else', { ...bind, result: EIO }, 'other'],
  ]
  for (const [what, attempt, id, device, facts] of causes) {
    it(`recognizes ${what}`, () => assert.equal(idOf(attempt, device, facts), id))
  }

  it('takes a bridge and other VFIO devices in the group for no intruders', () => {
    const group = [
      { name: '0000:07:00.0', driver: 'pcieport' },
      { name: '0000:08:00.3', driver: 'vfio-pci' },
      { name: '0000:08:00.4', driver: undefined },
    ]
    assert.equal(idOf({ ...bind, result: EPERM }, vf, { ...remappingOff, group }), 'no-interrupt-remapping')
  })

  it('explains a device that is bound to nothing by that, whatever was tried', () => {
    const [explanation] = explainTries([{ ...openGroup, result: ENODEV }], unbound, host)
    assert.equal(explanation?.id, 'no-driver')
  })

  it('explains a device that another driver has by that', () => {
    assert.equal(explainTries([], pf, host)[0]?.id, 'other-driver')
  })

  it('explains a device that no VFIO driver binds because there is no IOMMU', () => {
    assert.equal(explainTries([], { ...unbound, iommuGroup: undefined }, host)[0]?.id, 'no-iommu')
  })

  it('does not ask for an IOMMU where VFIO is told to do without', () => {
    const facts = { ...host, kernel: { ...host.kernel, unsafeNoiommu: true } }
    assert.equal(explainTries([], { ...unbound, iommuGroup: undefined }, facts)[0]?.id, 'no-driver')
  })

  it('explains a device without any node', () => {
    assert.equal(explainTries([], withoutNodes, host)[0]?.id, 'no-node')
  })

  it('explains a device whose node is of no use without /dev/iommu', () => {
    const facts = { ...host, kernel: { ...host.kernel, iommufd: false } }
    assert.equal(explainTries([], { ...vf, groupNode: undefined }, facts)[0]?.id, 'no-iommufd')
  })
})

describe('explainOpen', () => {
  it('names the thing, the cause and the remedy of a closed node', () => {
    const error = explainOpen([{ ...openGroup, result: EACCES }], vf, host)
    assert.equal(error.code, 'ERR_VFIO_OPEN')
    assert.equal(error.device, '0000:08:00.2')
    assert.equal(
      error.message,
      'Cannot open 0000:08:00.2. open /dev/vfio/57 answered EACCES. ' +
        '/dev/vfio/57 belongs to user 0, group 0, mode 0600; this process runs as user 1000, group 1000. ' +
        'Run as root, or hand the node over: chown 1000 /dev/vfio/57; ' +
        'for good with the udev rule SUBSYSTEM=="vfio", OWNER="1000".',
    )
  })

  it('suspects a security module when the mode would let us in', () => {
    const asRoot = { ...host, process: { ...host.process, uid: 0, gid: 0 } }
    const { message } = explainOpen([{ ...openCdev, result: EACCES }], vf, asRoot)
    assert.match(message, /mode 0600, which lets user 0 in: a security module or a user namespace refuses\./)
    assert.doesNotMatch(message, /chown/)
  })

  it('lists both ways, each with its cause', () => {
    const facts: HostFacts = {
      ...host,
      holders: { processes: [{ pid: 977, comm: 'qemu-system-x86' }], complete: true },
    }
    const error = explainOpen(
      [
        { ...bind, result: EINVAL },
        { ...openGroup, result: EBUSY },
      ],
      vf,
      facts,
    )
    assert.equal(
      error.message,
      'Cannot open 0000:08:00.2.\n' +
        '- VFIO_DEVICE_BIND_IOMMUFD of /dev/vfio/devices/vfio3 answered EINVAL. ' +
        '/dev/vfio/devices/vfio3 is open elsewhere. It is open in qemu-system-x86 (pid 977). ' +
        'End that process, or have it lend its fd (fd:N on the command line, openDevice({ fd }) in code).\n' +
        '- open /dev/vfio/57 answered EBUSY. ' +
        '/dev/vfio/57 is open elsewhere, or a device of the group is by its own node. ' +
        'It is open in qemu-system-x86 (pid 977). ' +
        'End that process, or have it lend its fd (fd:N on the command line, openDevice({ fd }) in code).',
    )
  })

  it('carries the answer to the last try as its cause', () => {
    const error = explainOpen(
      [
        { ...bind, result: EPERM },
        { ...setIommu, result: EPERM },
      ],
      vf,
      remappingOff,
    )
    const cause = error.cause as VfioSystemError
    assert.equal(cause.code, 'EPERM')
    assert.equal(cause.errno, -1)
    assert.equal(cause.syscall, 'ioctl')
    assert.equal(cause.request, 'VFIO_SET_IOMMU')
    assert.equal(cause.path, '/dev/vfio/vfio')
  })

  it('says when the holder is this process', () => {
    const facts: HostFacts = {
      ...host,
      holders: { processes: [{ pid: 4321, comm: 'node' }], complete: true },
    }
    const { message } = explainOpen([{ ...bind, result: EINVAL }], vf, facts)
    assert.match(message, /It is open in this process \(pid 4321\)\. Close it in this process first/)
  })

  it('says when not every process could be read', () => {
    const facts: HostFacts = { ...host, holders: { processes: [], complete: false } }
    const { message } = explainOpen([{ ...openGroup, result: EBUSY }], vf, facts)
    assert.match(
      message,
      /No process that could be read has it open\. Not every process could be read.* fuser -v \/dev\/vfio\/57\.$/,
    )
  })

  it("lists the group's other devices and their drivers", () => {
    const { message } = explainOpen([{ ...getStatus, result: EPERM }], vf, shared)
    assert.match(message, /IOMMU group 57 .*Other drivers use devices of it: 0000:08:00\.0 \(mlx5_core\)\./)
    assert.match(message, /echo 0000:08:00\.0 > \/sys\/bus\/pci\/devices\/0000:08:00\.0\/driver\/unbind/)
  })

  it('names the parameter of the module that refuses unsafe interrupts', () => {
    const byCdev = explainOpen([{ ...bind, result: EPERM }], vf, remappingOff).message
    assert.match(byCdev, /\/sys\/module\/iommufd\/parameters\/allow_unsafe_interrupts/)
    const byGroup = explainOpen([{ ...setIommu, result: EPERM }], vf, remappingOff).message
    assert.match(byGroup, /\/sys\/module\/vfio_iommu_type1\/parameters\/allow_unsafe_interrupts/)
  })

  it('gives the commands that bind a function to the driver that migrates it', () => {
    assert.equal(
      explainOpen([], { ...unbound, driver: 'mlx5_core' }, host).message,
      'Cannot open 0000:08:00.2. 0000:08:00.2 is bound to mlx5_core, which is no VFIO driver. ' +
        'Bind it to mlx5_vfio_pci:\n' +
        '  modprobe mlx5-vfio-pci\n' +
        '  echo 0000:08:00.2 > /sys/bus/pci/devices/0000:08:00.2/driver/unbind\n' +
        '  echo mlx5_vfio_pci > /sys/bus/pci/devices/0000:08:00.2/driver_override\n' +
        '  echo 0000:08:00.2 > /sys/bus/pci/drivers_probe\n' +
        '  or: modprobe mlx5-vfio-pci && driverctl --nosave set-override 0000:08:00.2 mlx5_vfio_pci',
    )
  })

  it('has nothing to unbind where nothing is bound', () => {
    assert.doesNotMatch(explainOpen([], unbound, host).message, /unbind/)
  })

  it('says that no driver migrates the device where none does', () => {
    const { message, cause } = explainOpen([], { ...nvme, driver: 'nvme', vfio: false }, host)
    assert.match(message, /No driver of Linux is known to migrate 1b36:0010\.$/)
    assert.equal(cause, undefined)
  })

  it('says that only virtual functions migrate', () => {
    const { message } = explainOpen([], pf, host)
    assert.match(
      message,
      /0000:08:00\.0 \(15b3:1021\) is no virtual function, and drivers migrate only those\.$/,
    )
  })
})
