// SPDX-License-Identifier: Apache-2.0
import { basename } from 'node:path'
import { driverManners } from '../kernel/drivers.ts'
import { readMigration, type MigrationOptions } from './debugfs.ts'
import type { CdevFacts, DeviceFacts, DeviceKind, FunctionFacts, PciFacts, Rooted } from './facts.ts'
import { attribute, entries, linkName, numericAttribute } from './sysfs.ts'

export type DeviceOptions = MigrationOptions

/** The facts of the device whose directory in sysfs is `sysfsPath`, links resolved. */
export async function readDevice(sysfsPath: string, options: DeviceOptions = {}): Promise<DeviceFacts> {
  const name = basename(sysfsPath)
  const kind: DeviceKind = (await linkName(`${sysfsPath}/subsystem`, options)) === 'mdev' ? 'mdev' : 'pci'
  const driver = await linkName(`${sysfsPath}/driver`, options)
  return {
    name,
    kind,
    sysfsPath,
    driver,
    vfio: await isUnderVfio(sysfsPath, driver, options),
    ...(await readGroup(sysfsPath, options)),
    cdev: await readCdev(sysfsPath, options),
    pci: kind === 'pci' ? await readPci(sysfsPath, options) : undefined,
    physfn: await readPhysfn(sysfsPath, options),
    numaNode: await readNumaNode(sysfsPath, options),
    mdevType: kind === 'mdev' ? await linkName(`${sysfsPath}/mdev_type`, options) : undefined,
    ...(await readMigration(name, options)),
  }
}

/** A device's name and its driver. */
export async function readFunction(sysfsPath: string, options: Rooted = {}): Promise<FunctionFacts> {
  return { name: basename(sysfsPath), driver: await linkName(`${sysfsPath}/driver`, options) }
}

/** Kernels before 6.1 have no class vfio-dev: there, the driver's name tells. */
async function isUnderVfio(path: string, driver: string | undefined, options: Rooted): Promise<boolean> {
  if ((await entries(`${path}/vfio-dev`, options)).length > 0) return true
  const hasClass = (await entries('/sys/class', options)).includes('vfio-dev')
  return !hasClass && driverManners(driver) !== undefined
}

async function readGroup(
  path: string,
  options: Rooted,
): Promise<Pick<DeviceFacts, 'iommuGroup' | 'groupNode' | 'noiommu'>> {
  const group = await linkName(`${path}/iommu_group`, options)
  if (group === undefined) return { iommuGroup: undefined, groupNode: undefined, noiommu: false }
  const nodes = await entries('/sys/class/vfio', options)
  const node = [`noiommu-${group}`, group].find(name => nodes.includes(name))
  return {
    iommuGroup: Number(group),
    groupNode: node === undefined ? undefined : `/dev/vfio/${node}`,
    noiommu: node?.startsWith('noiommu-') ?? false,
  }
}

/** Without CONFIG_VFIO_DEVICE_CDEV, and for noiommu, the class device is there and its `dev` is not. */
async function readCdev(path: string, options: Rooted): Promise<CdevFacts | undefined> {
  const [name] = await entries(`${path}/vfio-dev`, options)
  if (name === undefined) return undefined
  const dev = await attribute(`${path}/vfio-dev/${name}/dev`, options)
  return dev === undefined ? undefined : { name, node: `/dev/vfio/devices/${name}`, dev }
}

async function readPci(path: string, options: Rooted): Promise<PciFacts> {
  const [vendor, device, subsystemVendor, subsystemDevice, code] = await Promise.all(
    ['vendor', 'device', 'subsystem_vendor', 'subsystem_device', 'class'].map(async file =>
      ((await attribute(`${path}/${file}`, options)) ?? '').replace(/^0x/, ''),
    ),
  )
  return {
    vendor: vendor ?? '',
    device: device ?? '',
    subsystemVendor: subsystemVendor ?? '',
    subsystemDevice: subsystemDevice ?? '',
    class: code ?? '',
  }
}

async function readPhysfn(path: string, options: Rooted): Promise<FunctionFacts | undefined> {
  const name = await linkName(`${path}/physfn`, options)
  return name === undefined ? undefined : readFunction(`/sys/bus/pci/devices/${name}`, options)
}

/** The kernel prints -1 for a device that is near no node. */
async function readNumaNode(path: string, options: Rooted): Promise<number | undefined> {
  const node = await numericAttribute(`${path}/numa_node`, options)
  return node === undefined || node < 0 ? undefined : node
}
