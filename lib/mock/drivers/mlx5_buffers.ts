// SPDX-License-Identifier: Apache-2.0
import { pageBytes } from '../state.ts'

/** Memory of a session in the kernel, of which only the size counts here. */
export interface DataBuffer {
  readonly pages: number
  /** 1 or 2 for the two that chunks go through, 0 for any other. */
  chunk: number
  /** What is saved into it counts as initial bytes. */
  countsAsInitial: boolean
}

/** What a session sets buffers aside for. */
export interface Preparation {
  /** Bytes that the first SAVE needs. */
  readonly bytes: number
  /** Bytes of all chunks together. */
  readonly total: number
  readonly track: boolean
}

/** How many buffers chunks take turns in. */
export const buffersOfChunks = 2
const maxChunkBytes = 8 * 1024 * 1024
/** The command's field for it has 32 bits. */
const maxSaveBytes = 2 ** 32 - pageBytes

/** A buffer of that many pages, for no chunk in particular. */
export function newBuffer(pages: number): DataBuffer {
  return { pages, chunk: 0, countsAsInitial: false }
}

/** The buffers of a saving session: those set aside for the final image, and those that are free again. */
export class SessionBuffers {
  readonly #reserved: (DataBuffer | undefined)[] = []
  readonly #free: DataBuffer[] = []

  /** Sets aside what the final image may need, and answers how many pages each has: mlx5vf_prep_stop_copy(). */
  reserve({ bytes, total, track }: Preparation, isChunked: boolean): number {
    const ofChunk = Math.max(bytes, Math.min(maxChunkBytes, total))
    const ofWhole = bytes + (track ? Math.floor(bytes / 10) : 0)
    const pages = Math.ceil(Math.min(isChunked ? ofChunk : ofWhole, maxSaveBytes) / pageBytes)
    for (const chunk of isChunked ? [1, buffersOfChunks] : [0]) {
      this.#reserved.push({ ...newBuffer(pages), chunk })
    }
    return pages
  }

  /** The one set aside at `index`, or a larger one where `bytes` do not fit: mlx5vf_mig_file_get_stop_copy_buf(). */
  takeReserved(index: number, bytes = 0): DataBuffer {
    const buffer = this.#reserved[index]
    if (buffer === undefined) throw new Error(`buffer ${index} of the session is in use`)
    this.#reserved[index] = undefined
    if (buffer.pages * pageBytes >= bytes) return buffer
    this.giveBack({ ...buffer, chunk: 0 })
    return { ...this.take(bytes), chunk: buffer.chunk }
  }

  /** The first free one that is large enough; smaller ones before it are freed: mlx5vf_get_data_buffer(). */
  take(bytes: number): DataBuffer {
    const pages = Math.ceil(bytes / pageBytes)
    for (let buffer = this.#free.shift(); buffer; buffer = this.#free.shift()) {
      if (buffer.pages >= pages) return buffer
    }
    return newBuffer(pages)
  }

  /** It was read, or not needed: one for chunks is set aside again, another is free. */
  giveBack({ pages, chunk }: DataBuffer): void {
    if (chunk > 0) this.#reserved[chunk - 1] = { ...newBuffer(pages), chunk }
    else this.#free.push(newBuffer(pages))
  }
}
