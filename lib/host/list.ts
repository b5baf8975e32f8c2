// SPDX-License-Identifier: Apache-2.0
import { driverForId, type DriverManners } from '../kernel/drivers.ts'
import { readDevice, type DeviceOptions } from './device.ts'
import type { DeviceFacts } from './facts.ts'
import { mapLimited } from './limited.ts'
import { entries, resolved } from './sysfs.ts'

export interface ListOptions extends DeviceOptions {
  /** Lists virtual functions too that a known driver would migrate but that are bound elsewhere, or not at all. */
  readonly all?: boolean | undefined
}

/** The devices that are bound to a VFIO driver, by name. Opens nothing, so it disturbs none of them. */
export async function listDevices(options: ListOptions = {}): Promise<DeviceFacts[]> {
  const links = [...(await vfioLinks(options)), ...(options.all ? await pciLinks(options) : [])]
  const paths = await mapLimited(links, link => resolved(link, options))
  const unique = [...new Set(paths)].filter(path => path !== undefined)
  const devices = await mapLimited(unique, path => readDevice(path, options))
  return devices
    .filter(device => device.vfio || (options.all && migratingDriver(device) !== undefined))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The driver that would migrate this function: the known drivers migrate virtual functions only. */
export function migratingDriver(device: DeviceFacts): DriverManners | undefined {
  if (device.pci === undefined || device.physfn === undefined) return undefined
  return driverForId(`${device.pci.vendor}:${device.pci.device}`)
}

/** Kernels before 6.1 have no class vfio-dev: there, every device of an IOMMU group is looked at. */
async function vfioLinks(options: ListOptions): Promise<string[]> {
  const names = await entries('/sys/class/vfio-dev', options)
  if (names.length > 0) return names.map(name => `/sys/class/vfio-dev/${name}/device`)
  const groups = await entries('/sys/kernel/iommu_groups', options)
  const members = await mapLimited(groups, group => groupLinks(Number(group), options))
  return members.flat()
}

async function pciLinks(options: ListOptions): Promise<string[]> {
  const names = await entries('/sys/bus/pci/devices', options)
  return names.map(name => `/sys/bus/pci/devices/${name}`)
}

/** The links to the devices of an IOMMU group. */
export async function groupLinks(group: number, options: ListOptions): Promise<string[]> {
  const path = `/sys/kernel/iommu_groups/${group}/devices`
  return (await entries(path, options)).map(name => `${path}/${name}`)
}
