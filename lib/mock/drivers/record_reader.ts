// SPDX-License-Identifier: Apache-2.0

/** What a driver does with the records that are written to it: a header, and bytes whose number it says. */
export interface RecordForm<H> {
  readonly headerBytes: number
  /** Called with a whole header: what it says, or -errno. */
  readonly parse: (bytes: Uint8Array) => { readonly header: H; readonly length: number } | number
  /** The most that is kept of a record: what is longer can only be refused. */
  readonly mostKept: number
  /** Called with a whole record of `length` bytes, the kept ones in `words`: 0, or -errno. */
  readonly take: (header: H, words: Uint32Array, length: number) => Promise<number> | number
}

/** Puts records together from writes of any length, for virtio and xe. */
export class RecordReader<H> {
  readonly #form: RecordForm<H>
  #into: Uint32Array
  #have = 0
  #length: number
  /** The header of the record that is being gathered. */
  #header: { readonly header: H } | undefined

  constructor(form: RecordForm<H>) {
    this.#form = form
    this.#length = form.headerBytes
    this.#into = new Uint32Array(Math.ceil(this.#length / 4))
  }

  /** 0 when all was taken, or -errno. The record that it came for is over then. */
  async write(data: Uint8Array): Promise<number> {
    for (let at = 0; at < data.length;) {
      at += this.#fill(data.subarray(at))
      while (this.#have === this.#length) {
        const answer = await this.#finish()
        if (answer < 0) return answer
      }
    }
    return 0
  }

  #fill(data: Uint8Array): number {
    const count = Math.min(data.length, this.#length - this.#have)
    const room = Math.max(0, this.#into.byteLength - this.#have)
    new Uint8Array(this.#into.buffer).set(data.subarray(0, Math.min(count, room)), this.#have)
    this.#have += count
    return count
  }

  /** A header is whole, or a record. */
  async #finish(): Promise<number> {
    const [into, length, record] = [this.#into, this.#length, this.#header]
    this.#begin(this.#form.headerBytes)
    if (record !== undefined) return await this.#form.take(record.header, into, length)
    const parsed = this.#form.parse(new Uint8Array(into.buffer, 0, length))
    if (typeof parsed === 'number') return parsed
    this.#begin(parsed.length, { header: parsed.header })
    return 0
  }

  #begin(length: number, header?: { readonly header: H }): void {
    const kept = Math.min(length, Math.max(this.#form.mostKept, this.#form.headerBytes))
    this.#into = new Uint32Array(Math.ceil(kept / 4))
    this.#have = 0
    this.#length = length
    this.#header = header
  }
}
