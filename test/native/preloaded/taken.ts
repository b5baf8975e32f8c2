// SPDX-License-Identifier: Apache-2.0
import { kernel } from './kernel.js'

/** Count and hash of what device 0 of the fake kernel has taken. */
export const taken = (): number[] => kernel.ask('taken 0').trim().split(' ').map(Number)

/** The hash of it, when it has taken these. */
export function hash(...parts: Uint8Array[]): number {
  let sum = 0
  for (const part of parts) for (const byte of part) sum = (Math.imul(sum, 31) + byte) >>> 0
  return sum
}

/** Bytes to be taken, which nothing else refers to. */
export const pattern = (bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + 3) & 0xff)
