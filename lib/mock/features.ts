// SPDX-License-Identifier: Apache-2.0
import { errno } from '../kernel/errno.ts'
import { feature, operation } from '../kernel/feature.ts'
import type { KernelName } from './flavours.ts'
import type { ResolvedOptions } from './options.ts'

const { GET, SET } = operation
const PROBE = 0x40000
const idBits = 0xffff
const knownBits = idBits | GET | SET | PROBE

/** What a feature asks of the device, and -errno of what it answers where that is not there. */
interface FeatureRow {
  readonly id: number
  readonly operations: number
  readonly needs: 'stopCopy' | 'preCopy' | 'dmaLogging'
  readonly lacking: number
  readonly kernels?: readonly KernelName[]
}

/*
 * Source: vfio_ioctl_device_feature() of drivers/vfio/vfio_main.c. INFOv2 looks for PRE_COPY before anything else, and
 * is refused with another errno. The features of vfio-pci's own hook are not simulated.
 */
// prettier-ignore
const table: readonly FeatureRow[] = [
  { id: feature.MIGRATION, operations: GET, needs: 'stopCopy', lacking: -errno.ENOTTY },
  { id: feature.MIG_DEVICE_STATE, operations: GET | SET, needs: 'stopCopy', lacking: -errno.ENOTTY },
  { id: feature.MIG_DATA_SIZE, operations: GET, needs: 'stopCopy', lacking: -errno.ENOTTY },
  { id: feature.DMA_LOGGING_START, operations: SET, needs: 'dmaLogging', lacking: -errno.ENOTTY },
  { id: feature.DMA_LOGGING_STOP, operations: SET, needs: 'dmaLogging', lacking: -errno.ENOTTY },
  { id: feature.DMA_LOGGING_REPORT, operations: GET, needs: 'dmaLogging', lacking: -errno.ENOTTY },
  { id: feature.MIG_PRECOPY_INFOv2, operations: SET, needs: 'preCopy', lacking: -errno.EINVAL, kernels: ['7.2'] },
]

/** Whether the device has feature `id` and it offers `operations`: 0, or -errno, in the order in which the kernel looks. */
export function checkFeature(id: number, operations: number, options: ResolvedOptions): number {
  const row = table.find(candidate => candidate.id === id)
  if (row === undefined || row.kernels?.includes(options.kernel) === false) return -errno.ENOTTY
  if (!options.capabilities[row.needs]) return row.lacking
  return (operations & ~row.operations) === 0 ? 0 : -errno.EINVAL
}

/** VFIO_DEVICE_FEATURE with PROBE. */
export function probe(id: number, operations: number, options: ResolvedOptions): number {
  const flags = (id | operations) >>> 0
  if ((flags & ~knownBits) !== 0) return -errno.EINVAL
  return checkFeature(flags & idBits, flags & (GET | SET), options)
}
