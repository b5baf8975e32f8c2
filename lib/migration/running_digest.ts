// SPDX-License-Identifier: Apache-2.0
import { crc32 } from 'node:zlib'

/** What a data lane sums, where no lane does it. */
export class RunningDigest {
  #sum = 0

  push(bytes: Uint8Array): void {
    this.#sum = crc32(bytes, this.#sum)
  }

  /** As a session's `digest` has it. */
  toString(): string {
    return `crc32:${this.#sum.toString(16).padStart(8, '0')}`
  }
}
