// SPDX-License-Identifier: Apache-2.0
import { fillPage, fmix, high32, identityOf, low32, pageBytes, type Identity, type Window } from './state.ts'

export const imageHeaderBytes = 80
const magic = 0x4d494656
const format = 1
const headerWords = imageHeaderBytes / 4

/** Bits of an image's flags. */
export const imageFlag = { incremental: 1, lastChunk: 2, final: 4 } as const

/** What stands before the pages of an image. */
export interface ImageHeader {
  /** Bytes of the whole state. */
  readonly size: number
  readonly seed: bigint
  readonly epoch: bigint
  /** Not 0, and no other image's. */
  readonly id: bigint
  /** The image that this one goes on top of; 0n for none. */
  readonly base: bigint
  readonly flags: number
  /** Of the chunk, from 0. */
  readonly chunk: number
  readonly pages: number
  readonly window: Window
}

/** How many bytes a page of a state has. */
export function pageLength(page: number, size: number): number {
  return Math.min(pageBytes, size - page * pageBytes)
}

/** How many bytes an image of `pages`, ascending, has. */
export function imageLength(pages: Uint32Array, size: number): number {
  const last = pages.at(-1)
  if (last === undefined) return imageHeaderBytes
  return imageHeaderBytes + (pages.length - 1) * pageBytes + pageLength(last, size)
}

export function encodeHeader(header: ImageHeader): Uint32Array {
  const words = Uint32Array.of(
    ...[magic, format],
    ...[BigInt(header.size), header.seed, header.epoch, header.id, header.base].flatMap(pair),
    ...[header.flags, header.chunk, header.pages, header.window.vector],
    ...pair(header.window.iova),
    ...[0, 0],
  )
  words[headerWords - 1] = checkOf(words)
  return words
}

/** The header of an image; undefined where there is none that makes sense. */
export function decodeHeader(words: Uint32Array): ImageHeader | undefined {
  const at = (index: number): number => words[index] ?? 0
  const wide = (index: number): bigint => (BigInt(at(index + 1)) << 32n) | BigInt(at(index))
  if (words.length < headerWords || at(0) !== magic || at(1) !== format || at(18) !== 0) return undefined
  if (at(19) !== checkOf(words)) return undefined
  return {
    size: Number(wide(2)),
    seed: wide(4),
    epoch: wide(6),
    id: wide(8),
    base: wide(10),
    flags: at(12),
    chunk: at(13),
    pages: at(14),
    window: { vector: at(15), iova: wide(16) },
  }
}

const pair = (value: bigint): [number, number] => [low32(value), high32(value)]

function checkOf(words: Uint32Array): number {
  return words.subarray(0, headerWords - 1).reduce((check, word) => fmix(check ^ word), 0)
}

/**
 * An image: a header, and pages as they were when it was saved. Kept as versions; the bytes are made where they are
 * read, so that an image costs 8 bytes a page.
 */
export class SavedImage {
  readonly header: ImageHeader
  /** Bytes. */
  readonly length: number
  readonly #pages: Uint32Array
  readonly #versions: Uint32Array
  readonly #identity: Identity
  readonly #headerBytes: Uint8Array
  readonly #scratch = new Uint32Array(pageBytes / 4)
  #inScratch = -1

  /** `versions` are those of `pages`, which ascend; both become the image's own. */
  constructor(header: ImageHeader, pages: Uint32Array, versions: Uint32Array) {
    this.header = header
    this.length = imageLength(pages, header.size)
    this.#pages = pages
    this.#versions = versions
    this.#identity = identityOf(header.seed)
    this.#headerBytes = new Uint8Array(encodeHeader(header).buffer)
  }

  /** Fills `into` with the image's bytes from `from` on; there must be as many. */
  copy(from: number, into: Uint8Array): void {
    let at = 0
    if (from < imageHeaderBytes) {
      const header = this.#headerBytes.subarray(from, from + into.length)
      into.set(header)
      at = header.length
    }
    const words = wordsOf(into)
    while (at < into.length) {
      const index = Math.floor((from + at - imageHeaderBytes) / pageBytes)
      const inPage = (from + at - imageHeaderBytes) % pageBytes
      const count = Math.min(pageLength(this.#pages[index] ?? 0, this.header.size) - inPage, into.length - at)
      const aligned = inPage === 0 && (into.byteOffset + at) % 4 === 0 && count % 4 === 0
      if (aligned) this.#fill(index, words, (into.byteOffset + at) / 4, count / 4)
      else into.set(this.#scratchBytes(index).subarray(inPage, inPage + count), at)
      at += count
    }
  }

  #fill(index: number, words: Uint32Array, at: number, count: number): void {
    fillPage(words, at, count, this.#pages[index] ?? 0, this.#versions[index] ?? 0, this.#identity)
  }

  #scratchBytes(index: number): Uint8Array {
    if (this.#inScratch !== index) this.#fill(index, this.#scratch, 0, this.#scratch.length)
    this.#inScratch = index
    return new Uint8Array(this.#scratch.buffer)
  }
}

/** The words of the buffer behind `bytes`, its odd end left out. */
function wordsOf({ buffer }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4))
}
