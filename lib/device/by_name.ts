// SPDX-License-Identifier: Apache-2.0
import { loadAddon } from '../backend/native.ts'
import type { Addon, DeviceBackend, OpenAnswer } from '../backend/seam.ts'
import { explainOpen } from '../checks/open.ts'
import type { OpenTry } from '../checks/try.ts'
import { monotonicClock } from '../clock.ts'
import type { DeviceFacts } from '../host/facts.ts'
import { findDevice } from '../host/find.ts'
import { hostFacts } from '../host/host.ts'

/** How to open a device. */
export interface OpenOptions {
  /** Only this way in, instead of the device's own node first and its group after it. */
  readonly via?: 'cdev' | 'group'
  /** The UUID that a virtual function needs whose physical function is in VFIO's hands as well. */
  readonly vfToken?: string
  /** Opt into VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2; done for a device opened by name unless told, never for a lent one. */
  readonly precopyInfoV2?: boolean
  readonly signal?: AbortSignal
}

const iommufd = '/dev/iommu'
const container = '/dev/vfio/vfio'

/** CHECK_EXTENSION's numbers in vfio.h: VFIO_TYPE1_IOMMU and VFIO_NOIOMMU_IOMMU. */
const iommuType = { type1: 1, noiommu: 8 } as const

type Way = (addon: Addon, facts: DeviceFacts, token: string | undefined) => Promise<OpenAnswer>

/** The ways into a device, in the order in which they are tried. */
const ways: Readonly<Record<'cdev' | 'group', Way>> = {
  cdev: (addon, facts, token) =>
    addon.openCdev(facts.cdev?.node ?? '', iommufd, token === undefined ? undefined : uuidBytes(token)),
  group: (addon, facts, token) =>
    addon.openGroup(
      facts.groupNode ?? '',
      container,
      facts.noiommu ? iommuType.noiommu : iommuType.type1,
      token === undefined ? facts.name : `${facts.name} vf_token=${token}`,
    ),
}
