// SPDX-License-Identifier: Apache-2.0
// The simulated firmware's image, by docs/firmware-model.md.

/** Flags of an image. */
export const imageFlags = { incremental: 1, lastChunk: 2, final: 4 } as const

const u32 = { magic: 0, format: 4, flags: 48, chunk: 52, pages: 56, vector: 60, zero: 72, check: 76 } as const
const u64 = { size: 8, seed: 16, epoch: 24, id: 32, base: 40, iova: 64 } as const

/** A field of 32 bits. */
export type Field = keyof typeof u32
/** A field of 64 bits. */
export type LongField = keyof typeof u64

/** Bytes before the first page. */
export const headerBytes = 80

/** A header's field. */
export const field = (image: Buffer, name: Field): number => image.readUInt32LE(u32[name])

/** A header's long field. */
export const longField = (image: Buffer, name: LongField): bigint => image.readBigUInt64LE(u64[name])

/** The pages that an image has. */
export function pagesOf(image: Buffer): number[] {
  const pages = []
  for (let at = headerBytes; at < image.length; at += 4096) pages.push(image.readUInt32LE(at))
  return pages
}

/** The image with another header, whose check is right again unless it is what is to be wrong. */
export function withHeader(
  image: Buffer,
  changes: Partial<Record<Field, number> & Record<LongField, bigint>>,
): Buffer {
  const changed = Buffer.from(image)
  for (const [name, value] of Object.entries(changes)) {
    if (typeof value === 'bigint') changed.writeBigUInt64LE(value, u64[name as LongField])
    else changed.writeUInt32LE(value, u32[name as Field])
  }
  if (changes.check === undefined) changed.writeUInt32LE(checkOf(changed), u32.check)
  return changed
}

function checkOf(image: Buffer): number {
  let check = 0
  for (let at = 0; at < u32.check; at += 4) check = mix(check ^ image.readUInt32LE(at))
  return check
}

function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}
