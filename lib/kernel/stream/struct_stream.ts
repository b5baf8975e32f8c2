// SPDX-License-Identifier: Apache-2.0
import { emptyStream, type StreamParser } from './parser.ts'
import { Windows } from './windows.ts'

/** What the head of a struct says. */
export interface StructHead {
  /** The lengths that a whole state may have. */
  readonly lengths: readonly number[]
  /** As of a StreamParser. */
  readonly initialEnd: number
}

/** A driver's state that is one struct. */
export interface StructForm {
  readonly headBytes: number
  /** What is in the head, or why the driver refuses it, as in `the stream …`. */
  readonly readHead: (head: DataView) => StructHead | string
}

/** A stream that is one struct, whose head says how long it is. */
export class StructStream implements StreamParser {
  readonly records = 0
  readonly images = 0
  readonly lastImageBytes = 0
  readonly begunImage = undefined
  readonly announcedBytes = undefined
  readonly #windows: Windows
  readonly #headBytes: number
  #head: StructHead | string | undefined

  constructor({ headBytes, readHead }: StructForm) {
    this.#headBytes = headBytes
    const show = (head: DataView): undefined => {
      this.#head = readHead(head)
      return undefined
    }
    this.#windows = new Windows({ from: 0, length: headBytes, show })
  }

  get bytes(): number {
    return this.#windows.bytes
  }

  get initialEnd(): number | undefined {
    return typeof this.#head === 'object' ? this.#head.initialEnd : undefined
  }

  push(bytes: Uint8Array): void {
    this.#windows.push(bytes)
  }

  incomplete(): string | undefined {
    const { bytes } = this
    if (bytes === 0) return emptyStream
    if (this.#head === undefined)
      return `the stream ends ${bytes} bytes into its head, which has ${this.#headBytes}`
    if (typeof this.#head === 'string') return `the stream ${this.#head}`
    const { lengths } = this.#head
    if (lengths.includes(bytes)) return undefined
    return `the stream has ${bytes} bytes, and such a state has ${lengths.join(' or ')}`
  }
}
