// SPDX-License-Identifier: Apache-2.0
import type { MachineFlags } from './state.ts'

/** Numbers of VFIO_DEVICE_FEATURE (vfio.h) that this library asks about, by their names there. */
export const feature = {
  MIGRATION: 1,
  MIG_DEVICE_STATE: 2,
  DMA_LOGGING_START: 6,
  DMA_LOGGING_STOP: 7,
  DMA_LOGGING_REPORT: 8,
  MIG_DATA_SIZE: 9,
  MIG_PRECOPY_INFOv2: 12,
} as const

/** Operation bits of the feature word: what PROBE asks whether a feature offers. */
export const operation = { GET: 0x10000, SET: 0x20000 } as const

/** Bit 0 of `vfio_precopy_info.flags`: the device starts over with a new initial image. */
export const precopyInfoReinit = 1

/** Flags of `vfio_region_info` (vfio.h). */
export const regionFlag = { READ: 1, WRITE: 2, MMAP: 4, CAPS: 8 } as const

const migrationFlag = { STOP_COPY: 1, P2P: 2, PRE_COPY: 4 } as const

/** What a device can do, as the kernel answered when it was opened. */
export interface Capabilities extends MachineFlags {
  /** The device has the v2 migration protocol. Without it none of the others is true but, maybe, `dmaLogging`. */
  readonly stopCopy: boolean
  /** It tells which of its DMA pages it wrote. */
  readonly dmaLogging: boolean
}

/** Capabilities from the flags of VFIO_DEVICE_FEATURE_MIGRATION, 0 for a device without migration. */
export function capabilitiesOf(flags: number, dmaLogging: boolean): Capabilities {
  const has = (flag: number): boolean => (flags & flag) !== 0
  return {
    stopCopy: has(migrationFlag.STOP_COPY),
    p2p: has(migrationFlag.P2P),
    preCopy: has(migrationFlag.PRE_COPY),
    dmaLogging,
  }
}
