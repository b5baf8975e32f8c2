// SPDX-License-Identifier: Apache-2.0

/**
 * How a driver's state behaves in pre-copy. `incremental`: each image holds what has changed since the one before.
 * `full`: each image is the whole state. `setup`: pre-copy gives a header and saves no downtime. `none`: there is no
 * pre-copy.
 */
export type PrecopyClass = 'incremental' | 'full' | 'setup' | 'none'

/** What a VFIO driver does in a way of its own. Where a field is silent, the driver keeps to vfio.h. */
export interface DriverManners {
  /** The driver's directory in sysfs, below /sys/bus/pci/drivers or /sys/bus/mdev/drivers. */
  readonly driver: string
  /** What modprobe takes. */
  readonly module: string
  /**
   * The `vendor:device` ids that the driver names. Several of them mean a PF as well; only virtual functions migrate.
   * A driver_override binds any id, so a device of another id may be bound as well.
   */
  readonly pciIds: readonly string[]
  /** The first Linux release whose driver migrates; undefined for one that never does. Distributions port drivers back. */
  readonly since: string | undefined
  /**
   * True when the driver keeps its migration state over the last close but drops the sessions that belong to it.
   * Such a device is reset after opening when it is not RUNNING; the other drivers start in RUNNING by themselves.
   */
  readonly resetAtOpen: boolean
  /** What its pre-copy is good for; for a device without that capability `precopyClass` says `none`. */
  readonly precopy: PrecopyClass
}

const manners = { resetAtOpen: false } as const

/*
 * Source: the drivers' pci_device_id tables, set_state and read functions in drivers/vfio/pci of Linux 7.2, and
 * samples/vfio-mdev/mtty.c. xe: INTEL_PTL_IDS, INTEL_WCL_IDS and INTEL_BMG_IDS of include/drm/intel/pciids.h.
 */
// prettier-ignore
const table: readonly DriverManners[] = [
  { ...manners, driver: 'mlx5_vfio_pci', module: 'mlx5-vfio-pci', since: '5.18', precopy: 'incremental',
    pciIds: ['15b3:101e'] },
  { ...manners, driver: 'virtio_vfio_pci', module: 'virtio-vfio-pci', since: '6.13', precopy: 'full',
    pciIds: ['1af4:1041', '1af4:1042'] },
  { ...manners, driver: 'hisi_acc_vfio_pci', module: 'hisi-acc-vfio-pci', since: '5.18', precopy: 'setup',
    pciIds: ['19e5:a251', '19e5:a256', '19e5:a259'] },
  { ...manners, driver: 'qat_vfio_pci', module: 'qat_vfio_pci', since: '6.10', precopy: 'setup',
    pciIds: ['8086:4941', '8086:4943', '8086:4945', '8086:4947', '8086:4949'] },
  { ...manners, driver: 'pds_vfio_pci', module: 'pds-vfio-pci', since: '6.6', precopy: 'none', pciIds: ['1dd8:1003'] },
  { ...manners, driver: 'xe-vfio-pci', module: 'xe-vfio-pci', since: '6.19', precopy: 'none', pciIds: [
    '8086:b080', '8086:b081', '8086:b082', '8086:b083', '8086:b084', '8086:b085', '8086:b086', '8086:b087',
    '8086:b08f', '8086:b090', '8086:b0a0', '8086:b0b0', '8086:fd80', '8086:fd81',
    '8086:e202', '8086:e209', '8086:e20b', '8086:e20c', '8086:e20d', '8086:e210', '8086:e211', '8086:e212',
    '8086:e216', '8086:e220', '8086:e221', '8086:e222', '8086:e223'] },
  { ...manners, driver: 'mtty', module: 'mtty', since: '6.7', precopy: 'setup', pciIds: [], resetAtOpen: true },
  { ...manners, driver: 'vfio-pci', module: 'vfio-pci', since: undefined, precopy: 'none', pciIds: [] },
]

/** Every driver that this library knows something of. */
export const knownDrivers: readonly DriverManners[] = table

/** What is known of a driver by its directory name; undefined for a stranger. */
export function driverManners(driver: string | undefined): DriverManners | undefined {
  return table.find(row => row.driver === driver)
}

/** The driver that migrates virtual functions of the id `vendor:device`, lower-case hexadecimal; undefined where none does. */
export function driverForId(id: string): DriverManners | undefined {
  return table.find(row => row.pciIds.includes(id))
}

/** How a device behaves in pre-copy; a stranger that has it is taken by vfio.h's word, that its images are increments. */
export function precopyClass(driver: string | undefined, hasPreCopy: boolean): PrecopyClass {
  return hasPreCopy ? (driverManners(driver)?.precopy ?? 'incremental') : 'none'
}
