// SPDX-License-Identifier: Apache-2.0

/*
 * The frames in which a mock is used from another process. All numbers are little-endian.
 *
 *   offset  size  field
 *   0       4     length of the header
 *   4       4     length of the payload
 *   8             the header: an object as JSON in UTF-8; what JSON has not is { "bigint": "123" }, { "number": "Infinity" }
 *                 the payload: bytes, as long as said
 */
const prefixBytes = 8

/**
 * What a peer may make us keep: a frame that announces more is refused before any of it is read. The largest payload is
 * that of a bitmap, as large as the seam lets one be.
 */
export const frameLimits: { readonly header: number; readonly payload: number } = {
  header: 64 * 1024,
  payload: 64 * 1024 * 1024,
}

/** A frame as it arrived. Whoever reads the header checks it: it is another process's. */
export interface Frame {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Buffer
}

/** The bytes that are no frame end the connection that they came by. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

const empty = new Uint8Array(0)

/** The parts of a frame, to be written one after another. The payload is not copied. */
export function encodeFrame(header: object, payload: Uint8Array = empty): Uint8Array[] {
  const json = Buffer.from(toJson(header))
  checkLengths(json.length, payload.length)
  const head = Buffer.alloc(prefixBytes + json.length)
  head.writeUInt32LE(json.length, 0)
  head.writeUInt32LE(payload.length, 4)
  json.copy(head, prefixBytes)
  return payload.length === 0 ? [head] : [head, payload]
}

/** Puts frames together from the pieces in which a socket delivers them. */
export class FrameReader {
  #pieces: Buffer[] = []
  #length = 0
  /** The bytes of the next frame; of its prefix, until that is there. */
  #wanted = prefixBytes

  /** The frames that are whole with this piece. @throws FrameError for what is none. */
  push(piece: Buffer): Frame[] {
    const frames: Frame[] = []
    this.#pieces.push(piece)
    this.#length += piece.length
    while (this.#length >= this.#wanted) {
      const bytes = this.#joined()
      if (this.#wanted === prefixBytes) {
        this.#wanted = lengthOf(bytes)
        continue
      }
      frames.push(frameOf(bytes.subarray(0, this.#wanted)))
      this.#pieces = [bytes.subarray(this.#wanted)]
      this.#length -= this.#wanted
      this.#wanted = prefixBytes
    }
    return frames
  }

  /** A frame in many pieces is joined twice: when its prefix is there, and when it is whole. */
  #joined(): Buffer {
    const [first, ...others] = this.#pieces
    const bytes = first !== undefined && others.length === 0 ? first : Buffer.concat(this.#pieces)
    this.#pieces = [bytes]
    return bytes
  }
}

/** More than the prefix's: there is no frame without a header. */
function lengthOf(bytes: Buffer): number {
  const header = bytes.readUInt32LE(0)
  const payload = bytes.readUInt32LE(4)
  checkLengths(header, payload)
  return prefixBytes + header + payload
}

function checkLengths(header: number, payload: number): void {
  if (header === 0 || header > frameLimits.header)
    throw new FrameError(`a header of ${header} bytes; 1 to ${frameLimits.header} are allowed`)
  if (payload > frameLimits.payload)
    throw new FrameError(`a payload of ${payload} bytes; at most ${frameLimits.payload} are allowed`)
}

function frameOf(bytes: Buffer): Frame {
  const end = prefixBytes + bytes.readUInt32LE(0)
  const header = fromJson(bytes.toString('utf8', prefixBytes, end))
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new FrameError('the header is no object')
  return { header: header as Record<string, unknown>, payload: bytes.subarray(end) }
}

/** JSON in which a bigint keeps its kind, and a number that is none in JSON its value. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return { bigint: String(part) }
    return typeof part === 'number' && !Number.isFinite(part) ? { number: String(part) } : part
  })
}

/** The value of {@link toJson}'s text. @throws FrameError for anything else. */
export function fromJson(text: string): unknown {
  try {
    return JSON.parse(text, (_, part: unknown) => revived(part)) as unknown
  } catch (cause) {
    throw new FrameError('it is no JSON', { cause })
  }
}

function revived(part: unknown): unknown {
  if (typeof part !== 'object' || part === null) return part
  const { bigint, number } = part as Record<string, unknown>
  if (typeof bigint === 'string' && /^-?\d{1,20}$/.test(bigint)) return BigInt(bigint)
  return typeof number === 'string' && /^(NaN|-?Infinity)$/.test(number) ? Number(number) : part
}
