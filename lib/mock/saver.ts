// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto'
import { imageFlag, imageHeaderBytes, SavedImage } from './image.ts'
import type { ResolvedOptions } from './options.ts'
import { PageSet } from './page_set.ts'
import type { DeviceState, Stretch } from './state.ts'
import { status } from './status.ts'

/** What a SAVE is asked for. */
export interface Demand {
  /** Only what was written since the SAVE before. */
  readonly incremental: boolean
  /** Writes are tracked from now on. */
  readonly track: boolean
  /** The room for the image, in bytes. */
  readonly room: number
}

/** What a SAVE came to. */
export interface Made {
  readonly status: number
  readonly image?: SavedImage
  /** What the next chunk needs; 0 where there is none. */
  readonly next: number
}

interface Suspended {
  readonly initiator: boolean
  readonly responder: boolean
}

interface NewImage {
  readonly id: bigint
  readonly base: bigint
  readonly flags: number
}

/** An image of which chunks are still to come: its pages are those that are left. */
interface Unfinished extends NewImage {
  readonly left: PageSet
  chunk: number
}

/** The firmware's side of saving: what is dirty, and images of it. */
export class Saver {
  readonly #state: DeviceState
  readonly #options: ResolvedOptions
  readonly #dirty: PageSet
  /** The id of the last image of a tracking session; 0n while it has none. */
  #last: bigint | undefined
  #unfinished: Unfinished | undefined
  #begunAnew = false

  constructor(state: DeviceState, options: ResolvedOptions) {
    this.#state = state
    this.#options = options
    this.#dirty = new PageSet(state.size)
  }

  get #isTracking(): boolean {
    return this.#last !== undefined
  }

  onWrite(pages: Stretch, workingSet: number): void {
    if (this.#isTracking) this.#dirty.add(pages, workingSet)
  }

  reset(): void {
    this.#endTracking()
    this.#unfinished = undefined
    this.#begunAnew = false
  }

  /** The rest of an image in chunks will not be asked for. */
  forgetChunks(): void {
    this.#unfinished = undefined
  }

  reinit(): void {
    this.#begunAnew = true
    if (this.#isTracking) this.#dirty.fill()
  }

  query(incremental: boolean, stopped: boolean): { bytes: number; total: number; reinit: boolean } {
    const isFull = !incremental || !this.#isTracking
    const exact = isFull ? imageHeaderBytes + this.#state.size : this.#increment(stopped)
    const total = exact === 0 ? 0 : exact + this.#options.estimateSlack
    const bytes = Math.min(total, this.#options.chunkSize ?? Infinity)
    return { bytes, total, reinit: this.#begunAnew }
  }

  #increment(stopped: boolean): number {
    return this.#dirty.isEmpty && !stopped ? 0 : imageHeaderBytes + this.#dirty.bytes
  }

  /** The image as things are at this moment. */
  save(demand: Demand, suspended: Suspended): Made {
    this.#begunAnew = false
    const { incremental, track } = demand
    if (this.#unfinished && incremental && !track) return this.#nextChunk(this.#unfinished, demand.room)
    this.#unfinished = undefined
    if (incremental && !this.#isTracking) return { status: status.BAD_RESOURCE_STATE, next: 0 }
    const isCleanup = this.#isTracking && !incremental && !track && !suspended.responder
    const base = incremental ? (this.#last ?? 0n) : 0n
    const final = suspended.initiator && suspended.responder
    const flags = (incremental ? imageFlag.incremental : 0) | (final ? imageFlag.final : 0)
    if (!incremental) this.#dirty.fill()
    const image = { id: newId(), base, flags }
    if (isCleanup) return this.#giveUp(image, demand.room)
    return track ? this.#tracked(image, demand) : this.#untracked(image, demand)
  }

  /** One image; what does not fit stays dirty. A full one has to fit, unless there is chunk mode. */
  #tracked(image: NewImage, { incremental, room }: Demand): Made {
    const { chunkSize } = this.#options
    const pages = this.#dirty.take(Math.min(room, chunkSize ?? Infinity))
    if (!incremental && chunkSize === undefined && !this.#dirty.isEmpty) return this.#tooSmall()
    this.#last = image.id
    return this.#made({ ...image, flags: image.flags | imageFlag.lastChunk }, 0, pages, 0)
  }

  /** The last one of its session, or the first of its chunks. */
  #untracked(image: NewImage, { incremental, room }: Demand): Made {
    const left = this.#dirty
    if (this.#options.chunkSize === undefined) {
      const pages = left.take(room)
      if (!incremental && !left.isEmpty) return this.#tooSmall()
      this.#endTracking()
      return this.#made({ ...image, flags: image.flags | imageFlag.lastChunk }, 0, pages, 0)
    }
    this.#unfinished = { ...image, left, chunk: 0 }
    return this.#nextChunk(this.#unfinished, room)
  }

  #nextChunk(image: Unfinished, room: number): Made {
    const chunkSize = this.#options.chunkSize ?? Infinity
    const pages = image.left.take(Math.min(room, chunkSize))
    if (pages.length === 0 && !image.left.isEmpty) return this.#tooSmall()
    const next = image.left.isEmpty ? 0 : Math.min(chunkSize, imageHeaderBytes + image.left.bytes)
    const flags = image.flags | (next === 0 ? imageFlag.lastChunk : 0)
    const made = this.#made({ ...image, flags }, image.chunk++, pages, next)
    if (next === 0) {
      this.#unfinished = undefined
      this.#endTracking()
    }
    return made
  }

  /** The driver gives pre-copy up: nobody is to load the image, whose memory was meant for an increment. */
  #giveUp(image: NewImage, room: number): Made {
    const pages = this.#dirty.take(Math.min(room, this.#options.chunkSize ?? Infinity))
    this.#endTracking()
    if (room < imageHeaderBytes) return { status: status.BAD_RESOURCE_STATE, next: 0 }
    return this.#made({ ...image, flags: image.flags | imageFlag.lastChunk }, 0, pages, 0)
  }

  #tooSmall(): Made {
    this.#endTracking()
    return { status: status.LIMIT, next: 0 }
  }

  #made({ id, base, flags }: NewImage, chunk: number, pages: Uint32Array, next: number): Made {
    const { size, seed, epoch, window, versions } = this.#state
    const header = { size, seed, epoch, id, base, flags, chunk, pages: pages.length, window }
    const taken = pages.map(page => versions[page] ?? 0)
    return { status: status.OK, image: new SavedImage(header, pages, taken), next }
  }

  #endTracking(): void {
    this.#last = undefined
    this.#dirty.clear()
  }
}

function newId(): bigint {
  return randomBytes(8).readBigUInt64LE() || 1n
}
