// SPDX-License-Identifier: Apache-2.0
import { migratingDriver, type HostDevice } from '../index.ts'
import type { HostDeviceOutput } from './schemas/list.ts'

/** Whether a device migrates, as far as can be told without opening it; `why` in one line. */
interface Verdict {
  readonly migratable?: boolean
  readonly why?: string
}

/** The driver that migrates nothing, whatever it is bound to. */
const plainDriver = 'vfio-pci'

function verdict(device: HostDevice): Verdict {
  if (!device.vfio) return { migratable: false, why: boundElsewhere(device) }
  if (device.migration !== undefined) return { migratable: true }
  if (device.driver === plainDriver) return { migratable: false, why: underPlainDriver(device) }
  if (device.debugfs === 'readable')
    return { migratable: false, why: `${device.driver} does not offer it for this device` }
  const why = device.debugfs === 'denied' ? 'debugfs is not ours to read' : 'no VFIO in debugfs'
  return { why: `${why}, so that only opening it tells` }
}

function boundElsewhere(device: HostDevice): string {
  const variant = migratingDriver(device)
  const bound = device.driver === undefined ? 'bound to no driver' : `bound to ${device.driver}`
  return variant === undefined ? `${bound}, not to VFIO` : `${bound}; ${variant.driver} would migrate it`
}

function underPlainDriver(device: HostDevice): string {
  const variant = migratingDriver(device)
  if (variant !== undefined) return `bound to ${plainDriver}; ${variant.driver} would migrate it`
  return `bound to ${plainDriver}, and no driver is known to migrate it`
}

/** A device as JSON has it. */
export function hostDeviceOutput(device: HostDevice): HostDeviceOutput {
  const { name, kind, sysfsPath, driver, vfio, iommuGroup, groupNode, noiommu, mdevType, numaNode } = device
  return {
    name,
    kind,
    sysfsPath,
    driver,
    vfio,
    iommuGroup,
    groupNode,
    noiommu,
    cdev: device.cdev?.node,
    pciId: device.pci && `${device.pci.vendor}:${device.pci.device}`,
    physfn: device.physfn?.name,
    mdevType,
    numaNode,
    ...verdict(device),
    features: device.migration?.features && [...device.migration.features],
  }
}

/** Whether it migrates, and why not, in one line. */
export function migratableText({ migratable, why, features }: HostDeviceOutput): string {
  const answer = migratable === undefined ? 'unknown' : migratable ? 'yes' : 'no'
  const details = why ?? features?.join(' ')
  return details === undefined ? answer : `${answer}: ${details}`
}
