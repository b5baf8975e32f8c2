// SPDX-License-Identifier: Apache-2.0

/** What was written into one session, to be held against what the fake kernel has taken. */
export class LoadCheck {
  /** What the holder had done to the device when the session was met. */
  readonly met: number
  /** Of all that is written. */
  isTold = true
  #bytes = 0
  #hash = 0

  constructor(met: number) {
    this.met = met
  }

  add(data: Uint8Array): void {
    this.#bytes += data.length
    for (const byte of data) this.#hash = (Math.imul(this.#hash, 31) + byte) >>> 0
  }

  /** As the fake kernel answers `taken`. */
  toString(): string {
    return `${this.#bytes} ${this.#hash} `
  }
}
