// SPDX-License-Identifier: Apache-2.0
import type { Origin } from '../backend/seam.ts'

/*
 * The protocol by which a mock is used from another process, over a stream of frames (frame.ts). It is ours alone, and is
 * spoken by one version of this package on one machine: whoever says another version is refused.
 *
 *   client                                      host
 *   { mock: 1, as: 'device' | 'control' }  ->
 *                                          <-   { mock: 1, device }            or { mock: 1, refused: -errno }
 *   { id, call, args }   payload           ->
 *                                          <-   { id, answer }   payload       the call's answer
 *                                          <-   { id, oops }                   a crash of the simulated kernel
 *                                          <-   { id, error: [name, message] } a mistake (control only)
 *
 * Calls are those of the seam, each request with an id of its own; `session`, where it is there, is that of an open data_fd.
 * They are begun in the order in which they come and answered as they end. What a call has of bytes, or of 64-bit words,
 * is the payload, of a control call its whole answer. A connection is one open fd of the device: its end closes it.
 * Anything else ends the connection.
 */
export const wireVersion = 1

export type Role = 'device' | 'control'

/** What the client is told of the device that it has opened. */
export interface Introduction {
  readonly name: string
  readonly driver: string
  readonly origin: Origin
}

/** What the host says first. */
export interface Greeting {
  readonly mock: typeof wireVersion
  readonly device?: Introduction
  /** -errno. */
  readonly refused?: number
}

export interface Request {
  readonly id: number
  readonly call: string
  readonly args: readonly unknown[]
  readonly session?: number
}

/** What is owed to one request. */
export type Reply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly oops: string }
  | { readonly id: number; readonly error: readonly [name: string, message: string] }

/** How long whoever connects, and whoever is connected to, waits for the first frame, in milliseconds. */
export const greetingTimeout = 5000

/** Bytes of a write that go in one frame, at most. */
export const frameBytes: number = 16 * 1024 * 1024

type Fields = Readonly<Record<string, unknown>>

export function isRequest(header: Fields): header is Fields & Request {
  const { id, call, args, session } = header
  const isSession = session === undefined || Number.isSafeInteger(session)
  return Number.isSafeInteger(id) && typeof call === 'string' && Array.isArray(args) && isSession
}

/** What a greeting asks to be; undefined for one of another version, or of something else. */
export function roleOf(header: Fields): Role | undefined {
  const { mock, as } = header
  return mock === wireVersion && (as === 'device' || as === 'control') ? as : undefined
}

/** The bytes behind any view of them. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** 64-bit words, in memory of their own. */
export function wordsOf(bytes: Uint8Array): BigUint64Array {
  return new BigUint64Array(copyOf(bytes).buffer)
}

/** A copy also of a Buffer, whose slice() is none. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes)
}
