// SPDX-License-Identifier: Apache-2.0

/*
 * mlx5's stream (drivers/vfio/pci/mlx5/cmd.h of Linux): records of 16 bytes of header, little-endian u64 size, u32 flags,
 * u32 tag, and `size` bytes; and what docs/firmware-model.md puts into one. All of it by hand.
 */

export const tag = { FW_DATA: 0, STOP_COPY_SIZE: 1 } as const
export const optional = 1
export const recordHeader = 16
/** Record 0: a header and the u64 that announces the size of the last image. */
export const firstRecord = 24

/** 64 KiB of state, and the 80 bytes before it. */
export const fullImage = 65_616
export const page = 4096
/** An increment of so many pages. */
export const increment = (pages: number): number => 80 + pages * page

export interface StreamRecord {
  readonly tag: number
  readonly flags: number
  readonly bytes: Buffer
}

export function record(
  kind: number,
  flags: number,
  bytes: Uint8Array,
  size: number | bigint = bytes.length,
): Buffer {
  const header = Buffer.alloc(recordHeader)
  header.writeBigUInt64LE(BigInt(size), 0)
  header.writeUInt32LE(flags, 8)
  header.writeUInt32LE(kind, 12)
  return Buffer.concat([header, bytes])
}

/** The records of a stream that ends with one of them. */
export function parseRecords(stream: Buffer): StreamRecord[] {
  const records: StreamRecord[] = []
  for (let at = 0; at < stream.length;) {
    const end = at + recordHeader + Number(stream.readBigUInt64LE(at))
    if (end > stream.length)
      throw new Error(`a record at ${at} ends at ${end}, the stream at ${stream.length}`)
    const [flags, kind] = [stream.readUInt32LE(at + 8), stream.readUInt32LE(at + 12)]
    records.push({ tag: kind, flags, bytes: stream.subarray(at + recordHeader, end) })
    at = end
  }
  return records
}

/** What a stream is made of: its tags, and how many bytes each record has. */
export const shape = (stream: Buffer): [tag: number, bytes: number][] =>
  parseRecords(stream).map(({ tag: kind, bytes }) => [kind, bytes.length])
