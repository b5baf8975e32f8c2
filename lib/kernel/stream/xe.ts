// SPDX-License-Identifier: Apache-2.0
import type { RecordForm, RecordHead } from './record_stream.ts'

const version = 1
/** enum xe_sriov_packet_type; what lies between is the device's. */
const type = { none: 0, trailer: 2 } as const

/**
 * xe-vfio-pci: a descriptor, what the device consists of, and a trailer of no bytes, which alone tells the destination
 * that everything came. struct xe_sriov_packet_hdr is version, type, tile and GT (u8 each), flags (u32), offset and size
 * (u64 each). Source: drivers/gpu/drm/xe/xe_sriov_packet.c, xe_sriov_pf_migration.c of Linux 7.2.
 */
export const xePackets: RecordForm = {
  noun: 'packet',
  headerBytes: 24,
  readHeader,
  lacks: ({ kind }) => (kind === 'trailer' ? undefined : 'the stream ends without its trailer'),
}

function readHeader(header: DataView): RecordHead | string {
  const [found, kind] = [header.getUint8(0), header.getUint8(1)]
  if (found !== version) return `has version ${found}, and the driver takes ${version}`
  if (kind === type.none) return 'has no type'
  const [offset, size] = [header.getBigUint64(8, true), header.getBigUint64(16, true)]
  if (kind !== type.trailer) return { size: Number(size), kind: 'other' }
  return offset === 0n && size === 0n ? { size: 0, kind: 'trailer' } : 'is a trailer that is not empty'
}
