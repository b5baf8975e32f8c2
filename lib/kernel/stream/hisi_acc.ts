// SPDX-License-Identifier: Apache-2.0
import type { StructForm, StructHead } from './struct_stream.ts'

/** QM_MATCH_SIZE: for which device it is. */
const matchBytes = 40
const structBytes = 176
/** ACC_DEV_MAGIC_V2, with a version, and ACC_DEV_MAGIC_V1, without. */
const magic = { v2: 0xaaccfeeddecadeden, v1: 0xcdcdcdcdfeedaaccn } as const
const major = 1

/**
 * hisi_acc_vfio_pci: struct acc_vf_data of drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.h, little-endian; magic (u64) at
 * 0, major version (u16) at 28. Match data alone are a whole state, too: that of a device which no guest has set up.
 */
export const hisiAccStruct: StructForm = { headBytes: matchBytes, readHead }

function readHead(head: DataView): StructHead | string {
  const found = head.getBigUint64(0, true)
  if (found !== magic.v1 && found !== magic.v2) return 'begins with another magic number than the driver’s'
  const version = head.getUint16(28, true)
  if (found === magic.v2 && version !== major) return `has version ${version}, and the driver takes ${major}`
  return { lengths: [matchBytes, structBytes], initialEnd: matchBytes }
}
