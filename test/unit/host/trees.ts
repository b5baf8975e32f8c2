// SPDX-License-Identifier: Apache-2.0

/*
 * What sysfs, /proc and debugfs show, as literal trees. The layout was compared with Linux 6.12.117 and 7.2.13 and is
 * theirs; files that nothing here reads are left out.
 */
type Tree = Readonly<Record<string, string | null>>

/** Buses, drivers and classes as every kernel with VFIO has them. */
export const common: Tree = {
  '/sys/bus/pci/drivers/mlx5_core/bind': '',
  '/sys/bus/pci/drivers/mlx5_vfio_pci/bind': '',
  '/sys/bus/pci/drivers/vfio-pci/bind': '',
  '/sys/bus/pci/drivers/nvme/bind': '',
  '/sys/bus/mdev/drivers/mtty/bind': '',
  '/sys/class/vfio-dev': null,
  '/sys/class/vfio': null,
  '/sys/kernel/debug/vfio': null,
  '/proc/sys/kernel/osrelease': '6.12.107\n',
}

/** A ConnectX-7 with two virtual functions to its name, one of them made; no VFIO in sight. */
export const pf: Tree = {
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/vendor': '0x15b3\n',
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/device': '0x1021\n',
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/subsystem_vendor': '0x15b3\n',
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/subsystem_device': '0x0041\n',
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/class': '0x020000\n',
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/numa_node': '0\n',
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/sriov_totalvfs': '8\n',
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/subsystem': '-> ../../../../bus/pci',
  '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0/driver': '-> ../../../../bus/pci/drivers/mlx5_core',
  '/sys/bus/pci/devices/0000:08:00.0': '-> ../../../devices/pci0000:00/0000:00:01.0/0000:08:00.0',
}

const vfPath = '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.2'
const vfIdentity: Tree = {
  [`${vfPath}/vendor`]: '0x15b3\n',
  [`${vfPath}/device`]: '0x101e\n',
  [`${vfPath}/subsystem_vendor`]: '0x15b3\n',
  [`${vfPath}/subsystem_device`]: '0x0041\n',
  [`${vfPath}/class`]: '0x020000\n',
  [`${vfPath}/numa_node`]: '0\n',
  [`${vfPath}/subsystem`]: '-> ../../../../bus/pci',
  [`${vfPath}/physfn`]: '-> ../0000:08:00.0',
  [`${vfPath}/iommu_group`]: '-> ../../../../kernel/iommu_groups/57',
  '/sys/bus/pci/devices/0000:08:00.2': '-> ../../../devices/pci0000:00/0000:00:01.0/0000:08:00.2',
  '/sys/kernel/iommu_groups/57/devices/0000:08:00.2':
    '-> ../../../../devices/pci0000:00/0000:00:01.0/0000:08:00.2',
  '/sys/kernel/iommu_groups/57/type': 'DMA-FQ\n',
}

/** Its virtual function, used by the kernel's network driver. */
export const vfOfNetwork: Tree = {
  ...vfIdentity,
  [`${vfPath}/driver`]: '-> ../../../../bus/pci/drivers/mlx5_core',
}

/** Its virtual function, bound to no driver. */
export const vfUnbound: Tree = vfIdentity

/** Its virtual function under mlx5_vfio_pci, on 7.2 with debugfs. */
export const vf: Tree = {
  ...vfIdentity,
  [`${vfPath}/driver`]: '-> ../../../../bus/pci/drivers/mlx5_vfio_pci',
  [`${vfPath}/vfio-dev/vfio3/dev`]: '246:3\n',
  [`${vfPath}/vfio-dev/vfio3/device`]: '-> ../../../0000:08:00.2',
  '/sys/class/vfio-dev/vfio3': '-> ../../devices/pci0000:00/0000:00:01.0/0000:08:00.2/vfio-dev/vfio3',
  '/sys/class/vfio/57': '-> ../../devices/virtual/vfio/57',
  '/sys/devices/virtual/vfio/57/dev': '247:1\n',
  '/sys/kernel/debug/vfio/0000:08:00.2/migration/state': 'RUNNING\n',
  '/sys/kernel/debug/vfio/0000:08:00.2/migration/features': 'stop-copy\np2p\npre-copy\ndirty-tracking\n',
  '/sys/kernel/debug/vfio/0000:08:00.2/pci/nointxmask': 'N\n',
}

const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001'
const mdevPath = `/sys/devices/virtual/mtty/mtty/${uuid}`

/** An mdev of the kernel's sample driver, on 6.12: debugfs has no `features` there. */
export const mdev: Tree = {
  [`${mdevPath}/subsystem`]: '-> ../../../../../bus/mdev',
  [`${mdevPath}/driver`]: '-> ../../../../../bus/mdev/drivers/mtty',
  [`${mdevPath}/mdev_type`]: '-> ../mdev_supported_types/mtty-1',
  [`${mdevPath}/iommu_group`]: '-> ../../../../../kernel/iommu_groups/0',
  [`${mdevPath}/vfio-dev/vfio0/dev`]: '246:0\n',
  [`${mdevPath}/vfio-dev/vfio0/device`]: `-> ../../../${uuid}`,
  '/sys/devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/name': 'Single port serial\n',
  [`/sys/bus/mdev/devices/${uuid}`]: `-> ../../../devices/virtual/mtty/mtty/${uuid}`,
  '/sys/class/vfio-dev/vfio0': `-> ../../devices/virtual/mtty/mtty/${uuid}/vfio-dev/vfio0`,
  '/sys/class/vfio/0': '-> ../../devices/virtual/vfio/0',
  '/sys/devices/virtual/vfio/0/dev': '247:0\n',
  [`/sys/kernel/iommu_groups/0/devices/${uuid}`]: `-> ../../../../devices/virtual/mtty/mtty/${uuid}`,
  '/sys/kernel/iommu_groups/0/name': 'vfio-noiommu\n',
  [`/sys/kernel/debug/vfio/${uuid}/migration/state`]: 'RUNNING\n',
}

const nvmePath = '/sys/devices/pci0000:00/0000:00:02.0/0000:01:00.1'

/** A device without migration: an NVMe virtual function under plain vfio-pci. */
export const nvme: Tree = {
  [`${nvmePath}/vendor`]: '0x1b36\n',
  [`${nvmePath}/device`]: '0x0010\n',
  [`${nvmePath}/subsystem_vendor`]: '0x1af4\n',
  [`${nvmePath}/subsystem_device`]: '0x1100\n',
  [`${nvmePath}/class`]: '0x010802\n',
  [`${nvmePath}/numa_node`]: '-1\n',
  [`${nvmePath}/subsystem`]: '-> ../../../../bus/pci',
  [`${nvmePath}/driver`]: '-> ../../../../bus/pci/drivers/vfio-pci',
  [`${nvmePath}/physfn`]: '-> ../0000:01:00.0',
  [`${nvmePath}/iommu_group`]: '-> ../../../../kernel/iommu_groups/3',
  [`${nvmePath}/vfio-dev/vfio1/dev`]: '246:1\n',
  [`${nvmePath}/vfio-dev/vfio1/device`]: '-> ../../../0000:01:00.1',
  '/sys/bus/pci/devices/0000:01:00.1': '-> ../../../devices/pci0000:00/0000:00:02.0/0000:01:00.1',
  '/sys/class/vfio-dev/vfio1': '-> ../../devices/pci0000:00/0000:00:02.0/0000:01:00.1/vfio-dev/vfio1',
  '/sys/class/vfio/3': '-> ../../devices/virtual/vfio/3',
  '/sys/devices/virtual/vfio/3/dev': '247:2\n',
  '/sys/kernel/iommu_groups/3/devices/0000:01:00.1':
    '-> ../../../../devices/pci0000:00/0000:00:02.0/0000:01:00.1',
  '/sys/kernel/debug/vfio/0000:01:00.1/pci/nointxmask': 'N\n',
}

/** The same kind of device without an IOMMU: no node of its own, and a group of the unsafe kind. */
export const noiommu: Tree = {
  '/sys/devices/pci0000:00/0000:00:04.0/vendor': '0x1b36\n',
  '/sys/devices/pci0000:00/0000:00:04.0/device': '0x0010\n',
  '/sys/devices/pci0000:00/0000:00:04.0/class': '0x010802\n',
  '/sys/devices/pci0000:00/0000:00:04.0/subsystem': '-> ../../../bus/pci',
  '/sys/devices/pci0000:00/0000:00:04.0/driver': '-> ../../../bus/pci/drivers/vfio-pci',
  '/sys/devices/pci0000:00/0000:00:04.0/iommu_group': '-> ../../../kernel/iommu_groups/0',
  '/sys/devices/pci0000:00/0000:00:04.0/vfio-dev/vfio0/device': '-> ../../../0000:00:04.0',
  '/sys/bus/pci/devices/0000:00:04.0': '-> ../../../devices/pci0000:00/0000:00:04.0',
  '/sys/class/vfio-dev/vfio0': '-> ../../devices/pci0000:00/0000:00:04.0/vfio-dev/vfio0',
  '/sys/class/vfio/noiommu-0': '-> ../../devices/virtual/vfio/noiommu-0',
  '/sys/devices/virtual/vfio/noiommu-0/dev': '247:0\n',
  '/sys/kernel/iommu_groups/0/devices/0000:00:04.0': '-> ../../../../devices/pci0000:00/0000:00:04.0',
}
