// SPDX-License-Identifier: Apache-2.0
import type { RecordForm, RecordHead } from './record_stream.ts'

/** What the records of a driver are by their tags. */
export type Tags = ReadonlyMap<number, RecordHead['kind']>

const headerBytes = 16
/** A reader that does not know the tag skips the record. */
const optional = 1
/** MAX_LOAD_SIZE of both drivers. */
const mostBytes = 2n ** 32n - 1n

/**
 * The records of mlx5 and virtio: record_size (u64), flags (u32), tag (u32), little-endian, then record_size bytes.
 * Source: struct mlx5_vf_migration_header and struct virtiovf_migration_header of Linux 7.2, and the resume_write()
 * that reads them. An image of no bytes is one that neither of them ever gives out.
 */
export function taggedRecords(tags: Tags): RecordForm {
  return {
    noun: 'record',
    headerBytes,
    readHeader: header => readHeader(header, tags),
    lacks: (_, images) => (images === 0 ? 'the stream ends without an image' : undefined),
  }
}

function readHeader(header: DataView, tags: Tags): RecordHead | string {
  const size = header.getBigUint64(0, true)
  if (size > mostBytes)
    return `has ${size.toString()} bytes, and the driver loads ${mostBytes.toString()} at most`
  const tag = header.getUint32(12, true)
  const kind = tags.get(tag)
  const maySkip = (header.getUint32(8, true) & optional) !== 0
  if (kind === undefined && !maySkip) return `has tag ${tag}, which the driver neither knows nor may skip`
  if (kind === 'image' && size === 0n) return 'is an image of no bytes'
  return { size: Number(size), kind: kind ?? 'other' }
}
