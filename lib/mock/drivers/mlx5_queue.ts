// SPDX-License-Identifier: Apache-2.0
import type { Fault } from '../faults.ts'

/** Something to read: a header, or an image. */
export interface Queued {
  readonly length: number
  /** Fills `into` with the bytes from `from` on. */
  copy(from: number, into: Uint8Array): void
  /** Called when the last byte was read. */
  readonly done?: () => void
}

/** What a saving session gives out, in order: filled buffers that were not read yet. */
export class RecordQueue {
  readonly #fault: Fault | undefined
  #queue: Queued[] = []
  #inFirst = 0
  #position = 0
  #end = 0

  /** `fault` changes bytes, or leaves them out. */
  constructor(fault: Fault | undefined) {
    this.#fault = fault
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  /** Bytes that were read so far. */
  get position(): number {
    return this.#position
  }

  /** Bytes that were queued so far. */
  get end(): number {
    return this.#end
  }

  add(queued: Queued): void {
    this.#queue.push(queued)
    this.#end += queued.length
  }

  clear(): void {
    this.#queue = []
  }

  /** Up to `maxBytes`, over the ends of records, in memory of the caller's own. */
  read(maxBytes: number): Uint8Array {
    const from = this.#position
    const into = Buffer.allocUnsafeSlow(Math.min(maxBytes, this.#end - from))
    for (let at = 0; at < into.length;) at += this.#readFirst(into.subarray(at))
    return this.#spoil(into, from)
  }

  #readFirst(into: Uint8Array): number {
    const [first] = this.#queue
    if (first === undefined) throw new Error('the queue has fewer bytes than it counts')
    const count = Math.min(first.length - this.#inFirst, into.length)
    first.copy(this.#inFirst, into.subarray(0, count))
    this.#inFirst += count
    this.#position += count
    if (this.#inFirst === first.length) {
      this.#queue.shift()
      this.#inFirst = 0
      first.done?.()
    }
    return count
  }

  #spoil(bytes: Uint8Array, from: number): Uint8Array {
    const { flip, cut } = this.#fault ?? {}
    if (flip !== undefined && flip >= from && flip < from + bytes.length) {
      bytes[flip - from] = (bytes[flip - from] ?? 0) ^ 0xff
    }
    return cut === undefined ? bytes : bytes.subarray(0, Math.max(0, cut - from))
  }
}

/** Bytes that are there already, as something to read. */
export function queuedBytes(bytes: Uint8Array): Queued {
  return { length: bytes.length, copy: (from, into) => into.set(bytes.subarray(from, from + into.length)) }
}
