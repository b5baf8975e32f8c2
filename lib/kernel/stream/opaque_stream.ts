// SPDX-License-Identifier: Apache-2.0
import { emptyStream, type StreamParser } from './parser.ts'

/** A stream that only the device can read, such as that of pds, or one of a driver that nobody here knows. */
export class OpaqueStream implements StreamParser {
  bytes = 0
  readonly records = 0
  readonly images = 0
  readonly lastImageBytes = 0
  readonly initialEnd = undefined
  readonly begunImage = undefined
  readonly announcedBytes = undefined

  push(bytes: Uint8Array): void {
    this.bytes += bytes.length
  }

  incomplete(): string | undefined {
    return this.bytes === 0 ? emptyStream : undefined
  }
}
