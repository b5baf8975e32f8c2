// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { streamBytes } from '../preloaded/stream_pattern.js'

const headerBytes = 16
const block = 2 ** 16
/** What the fake kernel's devices give out in each block that was looked at: there are 256 kinds of them. */
const patterns = new Map<number, Buffer>()

function patternOf(index: number): Buffer {
  const kind = index % 256
  const pattern = patterns.get(kind) ?? streamBytes(kind * block, block)
  patterns.set(kind, pattern)
  return pattern
}

/**
 * Holds what came out of one session against what the fake kernel has put in: the same bytes whoever took them, each once
 * and in order.
 */
export class StreamCheck {
  /** Somebody reads it. */
  isRead = false
  /** Bytes went with a reader that failed: what comes after them says nothing any more. */
  isTorn = false
  #position = 0
  #records = 0
  #header = Buffer.alloc(0)
  #left = 0

  /** An mlx5 has records; an mtty is one pattern. */
  constructor(hasRecords: boolean) {
    this.#left = hasRecords ? 0 : Infinity
  }

  take(chunk: Uint8Array): void {
    if (this.isTorn) return
    for (let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength); rest.length > 0;) {
      const bytes = this.#left > 0 ? this.#takePattern(rest) : this.#takeHeader(rest)
      this.#position += bytes
      rest = rest.subarray(bytes)
    }
  }

  #takePattern(rest: Buffer): number {
    const pattern = patternOf(Math.floor(this.#position / block))
    const phase = this.#position % block
    const bytes = Math.min(rest.length, this.#left, block - phase)
    // Record 0 announces a size; which one is the device's affair.
    if (this.#records !== 1 && !rest.subarray(0, bytes).equals(pattern.subarray(phase, phase + bytes)))
      assert.fail(`not the bytes of the device behind byte ${this.#position}`)
    this.#left -= bytes
    return bytes
  }

  #takeHeader(rest: Buffer): number {
    const bytes = Math.min(rest.length, headerBytes - this.#header.length)
    this.#header = Buffer.concat([this.#header, rest.subarray(0, bytes)])
    if (this.#header.length === headerBytes) this.#beginRecord()
    return bytes
  }

  #beginRecord(): void {
    const isFirst = this.#records++ === 0 ? 1 : 0
    const [flags, tag] = [this.#header.readUInt32LE(8), this.#header.readUInt32LE(12)]
    assert.deepEqual(
      [flags, tag],
      [isFirst, isFirst],
      `not the header of a record behind byte ${this.#position}`,
    )
    this.#left = Number(this.#header.readBigUInt64LE(0))
    this.#header = Buffer.alloc(0)
  }
}
