// SPDX-License-Identifier: Apache-2.0

/** As a session's `digest` has it, of all bytes at once: each word counts as often as there are words from it on. */
export function fletcher128(bytes: Uint8Array): string {
  const count = Math.ceil(bytes.length / 8)
  const padded = Buffer.alloc(count * 8)
  padded.set(bytes)
  let [first, second] = [0n, 0n]
  for (let i = 0; i < count; i++) {
    const word = padded.readBigUInt64LE(8 * i)
    first += word
    second += word * BigInt(count - i)
  }
  const hexadecimal = [second, first].map(sum => BigInt.asUintN(64, sum).toString(16).padStart(16, '0'))
  return `fletcher128:${hexadecimal.join('')}`
}
