// SPDX-License-Identifier: Apache-2.0
import type { StateName } from '../kernel/state.ts'

/** Where facts are looked for. Tests give a tree of their own; every path in the facts is as seen from this root. */
export interface Rooted {
  readonly root?: string | undefined
}

export type DeviceKind = 'pci' | 'mdev'

/** What sysfs and debugfs say of one device. Nothing was opened to learn it. */
export interface DeviceFacts {
  /** The PCI address with its domain, or the mdev's UUID in lower case: what VFIO_GROUP_GET_DEVICE_FD takes. */
  readonly name: string
  readonly kind: DeviceKind
  /** The device's directory below /sys/devices, links resolved. */
  readonly sysfsPath: string
  /** The bound driver's directory name; undefined where none is bound. */
  readonly driver: string | undefined
  /** True when that driver has registered the device with VFIO. */
  readonly vfio: boolean
  readonly iommuGroup: number | undefined
  /** `/dev/vfio/N`, or `/dev/vfio/noiommu-N`; undefined while VFIO offers no such node. */
  readonly groupNode: string | undefined
  /** True for a group without an IOMMU behind it, which VFIO calls unsafe. */
  readonly noiommu: boolean
  /** The device's own node; undefined where the kernel offers none. */
  readonly cdev: CdevFacts | undefined
  readonly pci: PciFacts | undefined
  /** The physical function of a virtual one. */
  readonly physfn: FunctionFacts | undefined
  readonly numaNode: number | undefined
  /** For instance `mtty-1`. */
  readonly mdevType: string | undefined
  /**
   * What debugfs says of the device's migration. Undefined with `debugfs: 'readable'` means that the bound driver
   * offers none.
   */
  readonly migration: MigrationFacts | undefined
  readonly debugfs: DebugfsAccess
}

/** `/dev/vfio/devices/vfioN`. */
export interface CdevFacts {
  readonly name: string
  readonly node: string
  /** `major:minor`. */
  readonly dev: string
}

/** A PCI function's identity, in lower-case hexadecimal without 0x. */
export interface PciFacts {
  readonly vendor: string
  readonly device: string
  readonly subsystemVendor: string
  readonly subsystemDevice: string
  /** Six digits: class, subclass, programming interface. */
  readonly class: string
}

/** A device and what is bound to it. */
export interface FunctionFacts {
  readonly name: string
  readonly driver: string | undefined
}

export interface MigrationFacts {
  /** Only where it was asked for. */
  readonly state: StateName | undefined
  /** The lines of `features`: `stop-copy`, `p2p`, `pre-copy`, `dirty-tracking`; undefined before Linux 6.18. */
  readonly features: readonly string[] | undefined
}

/** `'absent'`: debugfs is not mounted, or the kernel has no CONFIG_VFIO_DEBUGFS. `'denied'`: not ours to read. */
export type DebugfsAccess = 'readable' | 'absent' | 'denied'

/** What an fd is, as far as /proc tells. */
export interface FdFacts {
  /** What /proc/self/fd/N points at. */
  readonly link: string
  /** `'cdev'`: opened from /dev/vfio/devices. `'group'`: had from VFIO_GROUP_GET_DEVICE_FD. `'other'`: neither. */
  readonly kind: 'cdev' | 'group' | 'other'
  /** The device behind it; undefined where the kernel does not tell, as for a group's fd on 6.12. */
  readonly device: DeviceFacts | undefined
}

/** A device node's access rights. */
export interface NodeFacts {
  readonly path: string
  readonly uid: number
  readonly gid: number
  /** The permission bits. */
  readonly mode: number
}

export interface Holder {
  readonly pid: number
  /** The process's name as the kernel keeps it: at most 15 characters. */
  readonly comm: string
}

export interface Holders {
  readonly processes: readonly Holder[]
  /** False when some process's fds could not be read, so that others may hold the device as well. */
  readonly complete: boolean
}

export interface KernelFacts {
  /** `uname -r`. */
  readonly release: string
  /** /dev/iommu is there. */
  readonly iommufd: boolean
  /** /dev/vfio/vfio is there. */
  readonly container: boolean
  /** The vfio module's parameter `enable_unsafe_noiommu_mode`; undefined where the kernel has none. */
  readonly unsafeNoiommu: boolean | undefined
  /** The parameter `allow_unsafe_interrupts` of iommufd and of vfio_iommu_type1. */
  readonly unsafeInterrupts: { readonly iommufd: boolean | undefined; readonly type1: boolean | undefined }
  /** Whether /proc/interrupts shows remapped interrupts; undefined where it cannot tell, as on arm64. */
  readonly interruptRemapping: boolean | undefined
}

export interface ProcessFacts {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** The soft RLIMIT_NOFILE; undefined when it is unlimited or unreadable. */
  readonly openFilesLimit: number | undefined
}

/** What an explanation of a failure needs to know beside the device. */
export interface HostFacts {
  readonly kernel: KernelFacts
  readonly process: ProcessFacts
  /** The nodes that opening the device takes, those that exist. */
  readonly nodes: readonly NodeFacts[]
  readonly holders: Holders
  /** Every device of the device's IOMMU group, itself included. */
  readonly group: readonly FunctionFacts[]
}
