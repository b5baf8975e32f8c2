// SPDX-License-Identifier: Apache-2.0
import type { Firmware } from '../firmware.ts'
import { encodeHeader, imageFlag, imageHeaderBytes } from '../image.ts'
import { fillPage, identityOf, low32, type DeviceState, type Window } from '../state.ts'

/*
 * The streams of hisi_acc, qat and mtty are smaller than an image. A mock of theirs has a state of one page, 1 KiB, of
 * which everything follows from a few numbers: they travel in registers of the driver's own stream. Which registers, is
 * ours; that the stream has them, and where, is the driver's.
 */

/** A state of one page. Its version is its epoch: every step writes that page. */
export interface Registers {
  readonly seed: bigint
  readonly epoch: bigint
  readonly window: Window
}

/** SAVE by a device whose image is registers; or -errno. */
export async function saveRegisters(firmware: Firmware): Promise<Registers | number> {
  const { image, errno } = await firmware.save({ incremental: false, track: false, room: Infinity })
  return image?.header ?? errno
}

/** LOAD by a device whose image is registers: 0, or -errno. */
export async function loadRegisters(firmware: Firmware, registers: Registers): Promise<number> {
  const words = imageOf(registers, firmware.state)
  return (await firmware.load(words, words.byteLength)).errno
}

/** The image that a device with those registers would have. */
function imageOf({ seed, epoch, window }: Registers, { size }: DeviceState): Uint32Array {
  const flags = imageFlag.lastChunk | imageFlag.final
  const header = encodeHeader({ size, seed, epoch, id: 1n, base: 0n, flags, chunk: 0, pages: 1, window })
  const words = new Uint32Array((imageHeaderBytes + size) / 4)
  words.set(header)
  fillPage(words, header.length, size / 4, 0, low32(epoch), identityOf(seed))
  return words
}
