// SPDX-License-Identifier: Apache-2.0
import type { StructForm, StructHead } from './struct_stream.ts'

const magic = 0x7e9d09898c3e2c4en
const headBytes = 24
const portBytes = 36

/**
 * mtty: magic (u64), major, minor, ports, flags (u32 each), in the byte order of the machine, which is little-endian
 * wherever this library runs; then its ports. Source: struct mtty_data of samples/vfio-mdev/mtty.c.
 */
export const mttyStruct: StructForm = { headBytes, readHead }

function readHead(head: DataView): StructHead | string {
  if (head.getBigUint64(0, true) !== magic) return 'begins with another magic number than mtty’s'
  const [major, minor] = [head.getUint32(8, true), head.getUint32(12, true)]
  if (major !== 1 || minor !== 0) return `has version ${major}.${minor}, and the driver takes 1.0`
  const [ports, flags] = [head.getUint32(16, true), head.getUint32(20, true)]
  if (ports !== 1 && ports !== 2) return `has ${ports} ports, and mtty has one or two`
  if (flags !== 0) return `has flags ${flags}, and the driver takes none`
  return { lengths: [headBytes + ports * portBytes], initialEnd: headBytes }
}
