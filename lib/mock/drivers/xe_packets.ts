// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { layoutOf, type Values } from './layout.ts'

/*
 * The packets of an xe stream: a header of 24 bytes and what it announces.
 * Source: drivers/gpu/drm/xe/xe_sriov_packet.c, xe_sriov_packet_types.h of Linux 7.2.
 */
export const packetHeaderBytes = 24
const version = 1

const fields = {
  version: [0, 'u8'],
  type: [1, 'u8'],
  tile: [2, 'u8'],
  gt: [3, 'u8'],
  flags: [4, 'u32'],
  offset: [8, 'u64'],
  size: [16, 'u64'],
} as const
const layout = layoutOf(fields)

/** What a packet is about. 0 is none, to catch what was never filled in. */
export const packetType = { descriptor: 1, trailer: 2, ggtt: 3, mmio: 4, guc: 5, vram: 6 } as const

export type PacketHeader = Values<typeof fields>

export function decodePacketHeader(bytes: Uint8Array): PacketHeader {
  return layout.read(bytes)
}

/** A header that the driver takes: of its version, and of a GT that there is. */
export function isKnownHeader(header: PacketHeader): boolean {
  return header.version === version && header.gt === 0
}

/** The header of a packet of tile 0, GT 0. `offset`: where in its resource its bytes belong. */
export function encodePacketHeader(type: number, size: number, offset = 0): Buffer {
  const bytes = Buffer.alloc(packetHeaderBytes)
  layout.write(bytes, { version, type, offset: BigInt(offset), size: BigInt(size) })
  return bytes
}

/** The keys in a descriptor: 16 bits of key and 16 bits of length in words, then the value. */
const deviceId = 0xf001
const revision = 0xf002

/** Which device it is, as the descriptor has it. */
export interface XeIdentity {
  readonly deviceId: number
  readonly revision: number
}

export function encodeDescriptor(identity: XeIdentity): Buffer {
  const words = [(deviceId << 16) | 1, identity.deviceId, (revision << 16) | 1, identity.revision]
  const bytes = Buffer.alloc(words.length * 4)
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word >>> 0, index * 4)
  return bytes
}

/** 0 when the descriptor is that of such a device: ENODEV for another, EINVAL for what is none. Keys that it does not know it skips. */
export function checkDescriptor(bytes: Buffer, identity: XeIdentity): number {
  if (bytes.length % 4 !== 0) return -errno.EINVAL
  const wanted = new Map([
    [deviceId, identity.deviceId],
    [revision, identity.revision],
  ])
  for (let at = 0; at < bytes.length;) {
    const word = bytes.readUInt32LE(at)
    const length = (word & 0xffff) * 4
    at += 4
    if (at + length > bytes.length) return -errno.EINVAL
    const value = wanted.get(word >>> 16)
    if (value !== undefined && (length === 0 || bytes.readUInt32LE(at) !== value)) return -errno.ENODEV
    at += length
  }
  return 0
}
