// SPDX-License-Identifier: Apache-2.0
import type { StructForm, StructHead } from './struct_stream.ts'

/** ADF_GEN4_VF_MSTATE_SIZE. */
const blockBytes = 4096
const magic = 0xadf5caea
const version = 1

/**
 * qat_vfio_pci: a block that is always as long, whatever it holds. The setup comes first, by its preamble: magic and
 * version (u32 each), the preamble's length and the number of sections (u16 each), their bytes (u32), little-endian.
 * The destination looks at its whole block, however much of it was written: what an earlier session left is taken for
 * the rest of a state that was cut. Source: drivers/crypto/intel/qat/qat_common/adf_gen4_vf_mig.c, adf_mstate_mgr.c of
 * Linux 7.2.
 */
export const qatStruct: StructForm = { headBytes: 16, readHead }

function readHead(head: DataView): StructHead | string {
  if (head.getUint32(0, true) !== magic) return 'begins with another magic number than the driver’s'
  const found = head.getUint32(4, true)
  if (found > version) return `has version ${found}, and the driver takes ${version} at most`
  const setup = (head.getUint16(8, true) + head.getUint32(12, true)) >>> 0
  if (setup > blockBytes) return `has a setup of ${setup} bytes, and the whole state has ${blockBytes}`
  return { lengths: [blockBytes], initialEnd: setup }
}
