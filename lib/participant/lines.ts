// SPDX-License-Identifier: Apache-2.0

const newline = 0x0a

/** Cuts what arrives into lines, and keeps no more of one than it is told it may have. */
export class Lines {
  #maxBytes: number
  #parts: Uint8Array[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** From now on a line may have so many bytes. */
  allow(maxBytes: number): void {
    this.#maxBytes = Math.max(this.#maxBytes, maxBytes)
  }

  /**
   * Takes what has arrived, and tells the lines that it ends, one by one.
   * @throws RangeError for a line that is too long.
   */
  *take(chunk: Uint8Array): Generator<string> {
    let rest = chunk
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      this.#keep(rest.subarray(0, end))
      const line = Buffer.concat(this.#parts).toString()
      this.#parts = []
      this.#bytes = 0
      rest = rest.subarray(end + 1)
      yield line
    }
    this.#keep(rest)
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length
    if (this.#bytes > this.#maxBytes) throw new RangeError(`a line of more than ${this.#maxBytes} bytes`)
    this.#parts.push(part)
    // What arrives byte by byte does not take an object for each.
    if (this.#parts.length >= 1024) this.#parts = [Buffer.concat(this.#parts)]
  }
}
