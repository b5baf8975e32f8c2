// SPDX-License-Identifier: Apache-2.0
import { layoutOf } from './layout.ts'
import type { Registers } from './registers.ts'

/** All of struct acc_vf_data. */
export const streamBytes = 176
/** Its beginning, which says for which device it is. */
export const matchBytes = 40

/*
 * struct acc_vf_data of drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.h, Linux 7.2. What is left out is 0. The eqc begins
 * at 64, the aeqc at 92, with seven words each; words 1 and 2 are the address of the queue.
 * The driver's: magics, versions, offsets, which fields have to match, that an address of 0 means nothing to load.
 * Ours: the values, and that words 3 to 6 are the state: seed and epoch in the eqc, the window in the aeqc.
 */
const layout = layoutOf({
  magic: [0, 'u64'],
  queuePairs: [8, 'u32'],
  deviceId: [12, 'u32'],
  isolation: [16, 'u32'],
  major: [28, 'u16'],
  minor: [30, 'u16'],
  eqcAddress: [68, 'u64'],
  seed: [76, 'u64'],
  epoch: [84, 'u64'],
  aeqcAddress: [96, 'u64'],
  iova: [104, 'u64'],
  vector: [112, 'u32'],
  eqeDma: [144, 'u64'],
  aeqeDma: [152, 'u64'],
  sqcDma: [160, 'u64'],
  cqcDma: [168, 'u64'],
})

/** Of the stream as it is, and of the one before it, which has no version. */
const magic = { v2: 0xaaccfeeddecadeden, v1: 0xcdcdcdcdfeedaaccn } as const
const major = 1

/** What both devices have to have in common: the zip accelerator's function, and how it is set up. */
const match = { deviceId: 0xa251, queuePairs: 16, isolation: 0 } as const

const addresses = { eqeDma: 0x1000n, aeqeDma: 0x2000n, sqcDma: 0x3000n, cqcDma: 0x4000n } as const

/** The whole stream of a device that holds `registers`; only what comes first matters without them. */
export function encodeStream(registers?: Registers): Buffer {
  const bytes = Buffer.alloc(streamBytes)
  layout.write(bytes, { magic: magic.v2, major, minor: 0, ...match })
  if (registers === undefined) return bytes
  const { seed, epoch, window } = registers
  layout.write(bytes, { ...addresses, eqcAddress: addresses.eqeDma, aeqcAddress: addresses.aeqeDma })
  layout.write(bytes, { seed, epoch, ...window })
  return bytes
}

/** Whether the stream is for such a device. */
export function checkMatch(bytes: Buffer): boolean {
  const found = layout.read(bytes)
  const isKnown = found.magic === magic.v1 || (found.magic === magic.v2 && found.major === major)
  return (
    isKnown && Object.entries(match).every(([field, value]) => found[field as keyof typeof match] === value)
  )
}

/** What the stream holds; undefined where the device had no queues. */
export function decodeRegisters(bytes: Buffer): Registers | undefined {
  const { seed, epoch, iova, vector, ...found } = layout.read(bytes)
  const hasQueues = [found.eqeDma, found.aeqeDma, found.sqcDma, found.cqcDma].every(address => address !== 0n)
  return hasQueues ? { seed, epoch, window: { iova, vector } } : undefined
}
