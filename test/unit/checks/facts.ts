// SPDX-License-Identifier: Apache-2.0
import type { DeviceFacts, HostFacts, KernelFacts } from '#lib/host/facts.js'

/** A virtual function of a ConnectX under mlx5_vfio_pci. */
export const vf: DeviceFacts = {
  name: '0000:08:00.2',
  kind: 'pci',
  sysfsPath: '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.2',
  driver: 'mlx5_vfio_pci',
  vfio: true,
  iommuGroup: 57,
  groupNode: '/dev/vfio/57',
  noiommu: false,
  cdev: { name: 'vfio3', node: '/dev/vfio/devices/vfio3', dev: '511:3' },
  pci: { vendor: '15b3', device: '101e', subsystemVendor: '15b3', subsystemDevice: '0041', class: '020000' },
  physfn: { name: '0000:08:00.0', driver: 'mlx5_core' },
  numaNode: 0,
  mdevType: undefined,
  migration: undefined,
  debugfs: 'absent',
}

/** The same function without a driver. */
export const unbound: DeviceFacts = {
  ...vf,
  driver: undefined,
  vfio: false,
  groupNode: undefined,
  cdev: undefined,
}

/** The physical function. */
export const pf: DeviceFacts = {
  ...unbound,
  name: '0000:08:00.0',
  driver: 'mlx5_core',
  physfn: undefined,
  pci: { vendor: '15b3', device: '1021', subsystemVendor: '15b3', subsystemDevice: '0041', class: '020000' },
}

/** An NVMe virtual function under plain vfio-pci: no driver migrates it. */
export const nvme: DeviceFacts = {
  ...vf,
  name: '0000:01:00.1',
  driver: 'vfio-pci',
  pci: { vendor: '1b36', device: '0010', subsystemVendor: '1af4', subsystemDevice: '1100', class: '010802' },
  physfn: { name: '0000:01:00.0', driver: 'nvme' },
}

export const kernel: KernelFacts = {
  release: '7.2.13',
  iommufd: true,
  container: true,
  unsafeNoiommu: false,
  unsafeInterrupts: { iommufd: false, type1: false },
  interruptRemapping: true,
}

/** A host on which nothing is the matter. */
export const host: HostFacts = {
  kernel,
  process: { pid: 4321, uid: 1000, gid: 1000, openFilesLimit: 1024 },
  nodes: [
    { path: '/dev/vfio/devices/vfio3', uid: 0, gid: 0, mode: 0o600 },
    { path: '/dev/vfio/57', uid: 0, gid: 0, mode: 0o600 },
    { path: '/dev/iommu', uid: 0, gid: 0, mode: 0o660 },
    { path: '/dev/vfio/vfio', uid: 0, gid: 0, mode: 0o666 },
  ],
  holders: { processes: [], complete: true },
  group: [{ name: '0000:08:00.2', driver: 'mlx5_vfio_pci' }],
}
