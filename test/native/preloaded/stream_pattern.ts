// SPDX-License-Identifier: Apache-2.0

const block = 2 ** 16

/**
 * What a device of the fake kernel gives out at `position`, headers apart: each block of 64 KiB has another piece of the
 * same sequence, so that none is taken for another. As in fake-kernel/saving.c.
 */
export const streamByte = (position: number): number =>
  ((position + Math.floor(position / block) * 97) * 31 + 7) & 0xff

/** So many of them. */
export const streamBytes = (position: number, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, p) => streamByte(position + p)))
