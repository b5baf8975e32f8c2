// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import { mock, type Schema } from './parts.ts'

/** A device as sysfs and debugfs tell of it. What does not apply, or is not known, is absent. */
export interface HostDeviceOutput {
  name: string
  kind: 'pci' | 'mdev'
  /** It is simulated, and is in no sysfs. */
  mock?: true | undefined
  sysfsPath?: string | undefined
  driver?: string | undefined
  /** The driver has registered it with VFIO. */
  vfio: boolean
  iommuGroup?: number | undefined
  groupNode?: string | undefined
  noiommu: boolean
  cdev?: string | undefined
  /** `vendor:device`. */
  pciId?: string | undefined
  physfn?: string | undefined
  mdevType?: string | undefined
  numaNode?: number | undefined
  /** Absent where it cannot be known without opening the device. */
  migratable?: boolean | undefined
  /** Why it does not migrate, or why that is not known. */
  why?: string | undefined
  /** `stop-copy`, `p2p`, `pre-copy`, `dirty-tracking`; absent before Linux 6.18. */
  features?: string[] | undefined
}

export const hostDevice: Schema<HostDeviceOutput> = v.strictObject({
  name: v.string(),
  kind: v.picklist(['pci', 'mdev']),
  mock,
  sysfsPath: v.optional(v.string()),
  driver: v.optional(v.string()),
  vfio: v.boolean(),
  iommuGroup: v.optional(v.pipe(v.number(), v.integer())),
  groupNode: v.optional(v.string()),
  noiommu: v.boolean(),
  cdev: v.optional(v.string()),
  pciId: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/))),
  physfn: v.optional(v.string()),
  mdevType: v.optional(v.string()),
  numaNode: v.optional(v.pipe(v.number(), v.integer())),
  migratable: v.optional(v.boolean()),
  why: v.optional(v.string()),
  features: v.optional(v.array(v.string())),
})

export interface ListOutput {
  schema: 1
  command: 'list'
  devices: HostDeviceOutput[]
}

export const list: Schema<ListOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('list'),
  devices: v.array(hostDevice),
})
