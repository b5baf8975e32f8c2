// SPDX-License-Identifier: Apache-2.0
import { pageBytes, type Stretch } from './state.ts'
import { imageHeaderBytes, pageLength } from './image.ts'

/** Some of the pages of a state. */
export class PageSet {
  readonly #has: Uint8Array
  readonly #size: number
  #count = 0

  /** None of the pages of a state of `size` bytes. */
  constructor(size: number) {
    this.#size = size
    this.#has = new Uint8Array(Math.ceil(size / pageBytes))
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** Bytes of all of them. */
  get bytes(): number {
    const last = this.#has.length - 1
    const missing = this.#has[last] === 1 ? pageBytes - pageLength(last, this.#size) : 0
    return this.#count * pageBytes - missing
  }

  clear(): void {
    this.#has.fill(0)
    this.#count = 0
  }

  fill(): void {
    this.#has.fill(1)
    this.#count = this.#has.length
  }

  /** Adds a stretch that goes over the end of a working set of `workingSet` pages. */
  add({ first, count }: Stretch, workingSet: number): void {
    for (let k = 0, page = first; k < count; k++) {
      if (this.#has[page] === 0) this.#count++
      this.#has[page] = 1
      page = page + 1 === workingSet ? 0 : page + 1
    }
  }

  /** Takes out, in order, as many as fit with their header into `bytes`. */
  take(bytes: number): Uint32Array {
    const taken = new Uint32Array(this.#count)
    let count = 0
    let room = bytes - imageHeaderBytes
    for (let page = this.#has.indexOf(1); page >= 0; page = this.#has.indexOf(1, page + 1)) {
      room -= pageLength(page, this.#size)
      if (room < 0) break
      taken[count++] = page
      this.#has[page] = 0
    }
    this.#count -= count
    return taken.slice(0, count)
  }
}
