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

  /** Whoever comes to read finds nothing of what is left out of the stream: it counts as read. */
  skipLeftOut(): void {
    if (this.#position < this.#cut) return
    for (let [first] = this.#queue; first; [first] = this.#queue) this.#take(first, first.length)
  }

  /** Up to `maxBytes`, over the ends of records, in memory of the caller's own. */
  read(maxBytes: number): Uint8Array {
    const from = this.#position
    const length = Math.min(maxBytes, this.#end - from, this.#cut - from)
    const into = Buffer.allocUnsafeSlow(Math.max(0, length))
    for (let at = 0; at < into.length;) at += this.#readFirst(into.subarray(at))
    return this.#spoil(into, from)
  }

  get #cut(): number {
    return this.#fault?.cut ?? Infinity
  }

  #readFirst(into: Uint8Array): number {
    const [first] = this.#queue
    if (first === undefined) throw new Error('the queue has fewer bytes than it counts')
    const count = Math.min(first.length - this.#inFirst, into.length)
    first.copy(this.#inFirst, into.subarray(0, count))
    this.#take(first, count)
    return count
  }

  #take(first: Queued, most: number): void {
    const count = Math.min(first.length - this.#inFirst, most)
    this.#inFirst += count
    this.#position += count
    if (this.#inFirst < first.length) return
    this.#queue.shift()
    this.#inFirst = 0
    first.done?.()
  }

  #spoil(bytes: Uint8Array, from: number): Uint8Array {
    const { flip } = this.#fault ?? {}
    if (flip !== undefined && flip >= from && flip < from + bytes.length) {
      bytes[flip - from] = (bytes[flip - from] ?? 0) ^ 0xff
    }
    return bytes
  }
}

/** Bytes that are there already, as something to read. */
export function queuedBytes(bytes: Uint8Array): Queued {
  return { length: bytes.length, copy: (from, into) => into.set(bytes.subarray(from, from + into.length)) }
}
