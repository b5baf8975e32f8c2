// SPDX-License-Identifier: Apache-2.0

/** A stretch of a stream that is to be seen whole. */
export interface Window {
  /** Bytes from the beginning of the stream; not before the end of the window before. */
  readonly from: number
  /** Bytes; not 0. */
  readonly length: number
  /** Called with the stretch: which one is next, undefined for none. */
  readonly show: (bytes: DataView) => Window | undefined
}

/** Shows stretches of a stream that comes in pieces; what lies between them is passed over without a look. */
export class Windows {
  #bytes = 0
  #window: Window | undefined
  #gathered = new Uint8Array(0)
  #have = 0

  constructor(first: Window) {
    this.#open(first)
  }

  /** How many were pushed. */
  get bytes(): number {
    return this.#bytes
  }

  push(piece: Uint8Array): void {
    const begin = this.#bytes
    this.#bytes += piece.length
    while (this.#window !== undefined) {
      const { from, length, show } = this.#window
      const at = from + this.#have - begin
      if (at >= piece.length) return
      this.#gather(piece.subarray(at, at + length - this.#have))
      if (this.#have < length) return
      this.#open(show(new DataView(this.#gathered.buffer)))
    }
  }

  #gather(bytes: Uint8Array): void {
    this.#gathered.set(bytes, this.#have)
    this.#have += bytes.length
  }

  #open(window: Window | undefined): void {
    this.#window = window
    this.#gathered = new Uint8Array(window?.length ?? 0)
    this.#have = 0
  }
}
