// SPDX-License-Identifier: Apache-2.0
import { decodeHeader, imageFlag, imageHeaderBytes, pageLength, type ImageHeader } from './image.ts'
import { identityOf, isPage, pageBytes, type DeviceState } from './state.ts'
import { status } from './status.ts'

/** What was loaded last. */
interface Loaded {
  readonly id: bigint
  /** The chunk that comes next; undefined when all have come. */
  readonly next: number | undefined
  /** It is a final image, and all of it is there. */
  readonly whole: boolean
}

/** The firmware's side of loading: every byte is looked at. */
export class Loader {
  readonly #state: DeviceState
  #loaded: Loaded | undefined

  constructor(state: DeviceState) {
    this.#state = state
  }

  reset(): void {
    this.#loaded = undefined
  }

  /** What is there is not to be run: a LOAD was refused. */
  spoil(): void {
    this.#loaded = { id: 0n, next: undefined, whole: false }
  }

  /** The function is to run. False when what was loaded is not whole. */
  finish(): boolean {
    if (this.#loaded?.whole === false) return false
    this.#loaded = undefined
    return true
  }

  /** Takes an image of `length` bytes, and answers a status. */
  load(words: Uint32Array, length: number, isSuspended: boolean): number {
    const image = words.subarray(0, Math.floor(length / 4))
    const header = length % 4 === 0 ? decodeHeader(image) : undefined
    if (header === undefined || !couldBeLength(header, length)) return status.BAD_PARAMETER
    if (header.size !== this.#state.size) return status.BAD_INPUT_LENGTH
    if (!isSuspended) return status.BAD_SYSTEM_STATE
    if (!this.#follows(header)) return status.BAD_RESOURCE_STATE
    if (header.base === 0n && header.chunk === 0) this.#state.versions.fill(0)
    if (!this.#takePages(image, header)) return status.BAD_PARAMETER
    this.#state.seed = header.seed
    this.#state.epoch = header.epoch
    this.#state.window = header.window
    const isLast = (header.flags & imageFlag.lastChunk) !== 0
    this.#loaded = {
      id: header.id,
      next: isLast ? undefined : header.chunk + 1,
      whole: isLast && (header.flags & imageFlag.final) !== 0,
    }
    return status.OK
  }

  /** A chunk goes behind the one before it, an increment on top of its base, a full image on top of anything. */
  #follows({ chunk, id, base }: ImageHeader): boolean {
    const loaded = this.#loaded
    if (chunk > 0) return loaded?.id === id && loaded.next === chunk
    return base === 0n || (loaded?.id === base && loaded.next === undefined)
  }

  #takePages(image: Uint32Array, header: ImageHeader): boolean {
    const { versions, size, pages } = this.#state
    const identity = identityOf(header.seed)
    let at = imageHeaderBytes / 4
    for (let index = 0, before = -1; index < header.pages; index++) {
      const page = image[at] ?? 0
      const count = pageLength(page, size) / 4
      const fits = page > before && page < pages && at + count <= image.length
      if (!fits || !isPage(image, at, count, identity)) return false
      versions[page] = image[at + 1] ?? 0
      at += count
      before = page
    }
    return at === image.length
  }
}

/** All pages are whole, but the last one of a state whose size is no multiple of a page. */
function couldBeLength({ pages, size, id }: ImageHeader, length: number): boolean {
  const bytes = length - imageHeaderBytes
  const short = size % pageBytes
  const isWhole = bytes === pages * pageBytes
  return id !== 0n && (isWhole || (short > 0 && pages > 0 && bytes === (pages - 1) * pageBytes + short))
}
