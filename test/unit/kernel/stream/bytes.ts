// SPDX-License-Identifier: Apache-2.0
import { streamParser } from '#lib/kernel/stream/by_driver.js'
import type { StreamParser } from '#lib/kernel/stream/parser.js'

/** Bytes as hexadecimal, with blanks wherever they help. */
export const bytes = (...hex: string[]): Buffer => Buffer.from(hex.join('').replaceAll(' ', ''), 'hex')

/** A parser that was given all of these in one piece. */
export function parsed(driver: string, ...parts: Uint8Array[]): StreamParser {
  const parser = streamParser(driver)
  parser.push(Buffer.concat(parts))
  return parser
}

/** The lengths at which a stream could end and be whole, byte for byte from none to all of it. */
export function wholeAt(driver: string, stream: Uint8Array): number[] {
  const parser = streamParser(driver)
  const lengths = []
  if (parser.incomplete() === undefined) lengths.push(0)
  for (let at = 0; at < stream.length; at++) {
    parser.push(stream.subarray(at, at + 1))
    if (parser.incomplete() === undefined) lengths.push(at + 1)
  }
  return lengths
}

/** All that a parser tells. */
export const told = (parser: StreamParser): object => ({
  incomplete: parser.incomplete(),
  bytes: parser.bytes,
  records: parser.records,
  images: parser.images,
  lastImageBytes: parser.lastImageBytes,
  initialEnd: parser.initialEnd,
  begunImage: parser.begunImage,
  announcedBytes: parser.announcedBytes,
})
