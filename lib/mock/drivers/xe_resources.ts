// SPDX-License-Identifier: Apache-2.0
import { imageHeaderBytes } from '../image.ts'
import { packetHeaderBytes, type XeIdentity } from './xe_packets.ts'

/*
 * What a function of the xe mock consists of. The driver's: that there are GuC data, a GGTT, four MMIO registers and VRAM,
 * in this order, VRAM in pieces of at most 512 MiB. Ours: one GT; eight entries of GGTT, which like the registers hold
 * nothing; the GuC data are the header of an image of docs/firmware-model.md, and the VRAM is its pages.
 */
export const identity: XeIdentity = { deviceId: 0xe20b, revision: 0 }
export const gucBytes: number = imageHeaderBytes
export const ggttBytes: number = 8 * 8
export const mmioBytes: number = 4 * 4
export const vramPieceBytes: number = 512 * 1024 * 1024

/** The pieces in which VRAM of `bytes` travels. */
export function vramPieces(bytes: number): { offset: number; length: number }[] {
  return Array.from({ length: Math.ceil(bytes / vramPieceBytes) }, (_, index) => {
    const offset = index * vramPieceBytes
    return { offset, length: Math.min(vramPieceBytes, bytes - offset) }
  })
}

/** MIG_DATA_SIZE: every resource and one header for each. Descriptor and trailer are not counted, nor a second piece of VRAM. */
export function sizeOfResources(vram: number): number {
  return [gucBytes, ggttBytes, mmioBytes, vram].reduce((sum, bytes) => sum + packetHeaderBytes + bytes, 0)
}
