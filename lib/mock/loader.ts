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
    if (header === undefined || !makesSense(header, length)) return status.BAD_PARAMETER
    if (header.size !== this.#state.size) return status.BAD_INPUT_LENGTH
    if (!isSuspended) return status.BAD_SYSTEM_STATE
    if (!this.#follows(header)) return status.BAD_RESOURCE_STATE
    if (!this.#arePages(image, header)) return status.BAD_PARAMETER
    this.#takePages(image, header)
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

  /** Every page is what its version and the seed say, they ascend, and there is nothing behind them. */
  #arePages(image: Uint32Array, header: ImageHeader): boolean {
    const { size, pages } = this.#state
    const identity = identityOf(header.seed)
    let at = imageHeaderBytes / 4
    for (let index = 0, before = -1; index < header.pages; index++) {
      const page = image[at] ?? 0
      const count = pageLength(page, size) / 4
      const fits = page > before && page < pages && at + count <= image.length
      if (!fits || !isPage(image, at, count, identity)) return false
      at += count
      before = page
    }
    return at === image.length
  }

  #takePages(image: Uint32Array, { base, chunk, pages }: ImageHeader): void {
    const { versions } = this.#state
    if (base === 0n && chunk === 0) versions.fill(0)
    for (let index = 0; index < pages; index++) {
      const at = (imageHeaderBytes + index * pageBytes) / 4
      versions[image[at] ?? 0] = image[at + 1] ?? 0
    }
  }
}

const kibibyte = 1024
const gibibyte = kibibyte ** 3
const knownFlags = imageFlag.incremental | imageFlag.lastChunk | imageFlag.final

/** All that can be said of a header without knowing the device. */
function makesSense({ pages, size, id, base, flags }: ImageHeader, length: number): boolean {
  const total = Math.ceil(size / pageBytes)
  const whole = imageHeaderBytes + pages * pageBytes
  const short = whole - pageBytes + pageLength(total - 1, size)
  return (
    size >= kibibyte &&
    size <= gibibyte &&
    size % kibibyte === 0 &&
    id !== 0n &&
    (flags & ~knownFlags) === 0 &&
    ((flags & imageFlag.incremental) !== 0) === (base !== 0n) &&
    pages <= total &&
    (length === whole || (pages > 0 && length === short))
  )
}
