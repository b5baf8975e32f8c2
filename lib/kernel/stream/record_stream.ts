// SPDX-License-Identifier: Apache-2.0
import { emptyStream, type StreamParser } from './parser.ts'
import { Windows, type Window } from './windows.ts'

/** What the header of a record says. */
export interface RecordHead {
  /** Bytes that follow it. */
  readonly size: number
  /** `'announcement'`: the payload begins with how much memory the destination sets aside, a u64. */
  readonly kind: 'image' | 'announcement' | 'trailer' | 'other'
}

/** A driver's records. */
export interface RecordForm {
  /** What the driver calls them. */
  readonly noun: 'record' | 'packet'
  readonly headerBytes: number
  /** What is in a header, or why the driver refuses such a record, as in `record 1 …`. */
  readonly readHeader: (header: DataView) => RecordHead | string
  /** What a stream that ends behind `last` lacks. */
  readonly lacks: (last: RecordHead, images: number) => string | undefined
}

const announcementBytes = 8
/** What mlx5 makes of any larger announcement. */
const mostAnnounced = 2 ** 32 - 1

/** A stream of records, one behind another. */
export class RecordStream implements StreamParser {
  records = 0
  images = 0
  lastImageBytes = 0
  initialEnd: number | undefined
  begunImage: { readonly from: number; readonly end: number } | undefined
  announcedBytes: number | undefined
  readonly #form: RecordForm
  readonly #windows: Windows
  /** The record whose header was seen and whose end was not. */
  #open: (RecordHead & { readonly end: number }) | undefined
  /** The last whole one. */
  #last: (RecordHead & { readonly end: number }) | undefined
  /** Nothing behind a record that is refused can be followed. */
  #refusal: string | undefined

  constructor(form: RecordForm) {
    this.#form = form
    this.#windows = new Windows(this.#header(0))
  }

  get bytes(): number {
    return this.#windows.bytes
  }

  push(bytes: Uint8Array): void {
    this.#windows.push(bytes)
    this.#settle()
  }

  incomplete(): string | undefined {
    if (this.bytes === 0) return emptyStream
    return this.#refusal ?? this.#cut() ?? (this.#last && this.#form.lacks(this.#last, this.images))
  }

  #header(from: number): Window {
    return { from, length: this.#form.headerBytes, show: header => this.#begin(from, header) }
  }

  #begin(from: number, header: DataView): Window | undefined {
    this.#settle()
    const head = this.#form.readHeader(header)
    if (typeof head === 'string') {
      this.#refusal = `${this.#form.noun} ${this.records} ${head}`
      return undefined
    }
    const payload = from + this.#form.headerBytes
    const end = payload + head.size
    this.#open = { ...head, end }
    if (head.kind === 'image') {
      this.initialEnd ??= end
      this.begunImage = { from, end }
    }
    const next = this.#header(end)
    const announces = head.kind === 'announcement' && head.size >= announcementBytes
    return announces ? this.#announcement(payload, next) : next
  }

  #announcement(from: number, next: Window): Window {
    const show = (bytes: DataView): Window => {
      this.announcedBytes = Math.min(Number(bytes.getBigUint64(0, true)), mostAnnounced)
      return next
    }
    return { from, length: announcementBytes, show }
  }

  /** Counts the record whose end has come. */
  #settle(): void {
    const record = this.#open
    if (record === undefined || this.bytes < record.end) return
    this.#open = undefined
    this.#last = record
    this.records++
    if (record.kind !== 'image') return
    this.images++
    this.lastImageBytes = record.size
  }

  #cut(): string | undefined {
    const { noun, headerBytes } = this.#form
    if (this.#open) {
      const { end, size } = this.#open
      return `the stream ends ${size - (end - this.bytes)} bytes into ${noun} ${this.records}, which has ${size}`
    }
    const have = this.bytes - (this.#last?.end ?? 0)
    if (have === 0) return undefined
    return `the stream ends ${have} bytes into the header of ${noun} ${this.records}, which has ${headerBytes}`
  }
}
