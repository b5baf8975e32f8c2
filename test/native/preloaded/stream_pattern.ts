// SPDX-License-Identifier: Apache-2.0

/**
 * What a device of the fake kernel gives out from `position` on, headers apart: each block of 256 bytes and of 64 KiB has
 * another piece of the same sequence, so that none is taken for another. As in fake-kernel/saving.c.
 */
export function streamBytes(position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0, p = position; i < length; i++, p++)
    bytes[i] = (p + Math.floor(p / 2 ** 8) * 5 + Math.floor(p / 2 ** 16) * 97) * 31 + 7
  return bytes
}
