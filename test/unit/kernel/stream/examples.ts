// SPDX-License-Identifier: Apache-2.0
import { bytes } from './bytes.ts'

/** Record 0 of mlx5: 8 bytes, optional, tag 1; 4096. */
export const record0 = bytes('0800000000000000 01000000 01000000', '0010000000000000')
/** Images of mlx5 and virtio: mandatory, tag 0. */
export const image5 = bytes('0500000000000000 00000000 00000000', '0102030405')
export const image4 = bytes('0400000000000000 00000000 00000000', '0a0b0c0d')
/** A tag that nobody knows and anybody may skip. */
export const optional3 = bytes('0300000000000000 01000000 09000000', 'ffffff')
export const optional0 = bytes('0000000000000000 01000000 09000000')

/** Packets of xe: version, type, tile, GT, flags; offset; size. */
export const descriptor = bytes('01010000 00000000', '0000000000000000', '0400000000000000', '00000000')
export const guc = bytes('01050000 00000000', '0000000000000000', '0200000000000000', 'abcd')
export const trailer = bytes('01020000 00000000', '0000000000000000', '0000000000000000')

/** Of mtty: magic, version 1.0, the number of ports, no flags. */
export const mttyHead = (ports: number): Buffer =>
  bytes('4e2c3e8c89099d7e 01000000 00000000 0', ports.toString(), '000000 00000000')
export const mttyPort = Buffer.alloc(36, 0x11)

/** Of hisi_acc: magic, queue pairs, device, three words, version 1.0, two words. */
export const matchData = bytes(
  'dedecadeedfeccaa 10000000 51a20000',
  '00000000 00000000 00000000',
  '0100 0000 00000000 00000000',
)

/** Of qat: magic, version 1, a preamble of 16 bytes, one section, 28 bytes of sections; the sections. */
export const qatSetup = Buffer.concat([bytes('eacaf5ad 01000000 1000 0100 1c000000'), Buffer.alloc(28, 0x22)])

/** A small stream of a driver. */
export interface Example {
  readonly name: string
  readonly driver: string
  readonly stream: Buffer
  /** The lengths at which it could end and be whole. */
  readonly whole: readonly number[]
  /** By the end. */
  readonly initialEnd: number | undefined
}

export const examples: readonly Example[] = [
  {
    name: 'mlx5, without pre-copy',
    driver: 'mlx5_vfio_pci',
    stream: Buffer.concat([record0, image5]),
    whole: [24 + 21],
    initialEnd: 24 + 21,
  },
  {
    name: 'mlx5, behind any of its images, and behind what may be skipped',
    driver: 'mlx5_vfio_pci',
    stream: Buffer.concat([record0, image5, optional3, image4]),
    whole: [24 + 21, 24 + 21 + 19, 24 + 21 + 19 + 20],
    initialEnd: 24 + 21,
  },
  {
    name: 'mlx5, without an announcement',
    driver: 'mlx5_vfio_pci',
    stream: Buffer.concat([optional0, image4]),
    whole: [16 + 20],
    initialEnd: 16 + 20,
  },
  {
    name: 'virtio, behind any of its images',
    driver: 'virtio_vfio_pci',
    stream: Buffer.concat([image5, image4]),
    whole: [21, 21 + 20],
    initialEnd: 21,
  },
  {
    name: 'xe, behind its trailer',
    driver: 'xe-vfio-pci',
    stream: Buffer.concat([descriptor, guc, trailer]),
    whole: [28 + 26 + 24],
    initialEnd: undefined,
  },
  {
    name: 'mtty, of one port',
    driver: 'mtty',
    stream: Buffer.concat([mttyHead(1), mttyPort, Buffer.alloc(2)]),
    whole: [60],
    initialEnd: 24,
  },
  {
    name: 'mtty, of two ports',
    driver: 'mtty',
    stream: Buffer.concat([mttyHead(2), mttyPort, mttyPort, Buffer.alloc(2)]),
    whole: [96],
    initialEnd: 24,
  },
  {
    name: 'hisi_acc, behind its match data and behind everything',
    driver: 'hisi_acc_vfio_pci',
    stream: Buffer.concat([matchData, Buffer.alloc(176 - 40 + 2, 0x33)]),
    whole: [40, 176],
    initialEnd: 40,
  },
  {
    name: 'qat, behind its block',
    driver: 'qat_vfio_pci',
    stream: Buffer.concat([qatSetup, Buffer.alloc(4096 - 44 + 2, 0x33)]),
    whole: [4096],
    initialEnd: 44,
  },
  {
    name: 'pds, behind any byte',
    driver: 'pds_vfio_pci',
    stream: bytes('010203'),
    whole: [1, 2, 3],
    initialEnd: undefined,
  },
]
