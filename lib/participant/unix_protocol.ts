// SPDX-License-Identifier: Apache-2.0
import { maxSideDataBytes, type Moment, type Outcome } from '../migration/participant.ts'

/*
 * How a participant in another process is spoken to, in docs/participant.md with a session: lines of JSON.
 *
 *   we                                            the participant
 *   { hello: 'vfio-migrate', version: 1 }     ->
 *                                             <-  { hello: …, version: 1 }
 *   { id, moment, devices, limitMs, … }       ->
 *                                             <-  { id, ok: true, sideData? }   or { id, ok: false, error }
 *   { cancel: id }                            ->                                its answer is nobody's now
 */
export const version = 1

export interface Request {
  readonly id: number
  readonly moment: Moment
  readonly devices: readonly {
    readonly name: string
    readonly driver: string | null
    readonly side: 'source' | 'destination'
  }[]
  readonly limitMs: number
  /** At `restored`: base64, one for each device. */
  readonly sideData?: readonly string[]
  /** At `released`. */
  readonly outcome?: Outcome
}

export interface Answer {
  readonly id: number
  /** Why the moment failed. */
  readonly error?: string
  readonly sideData?: readonly (Uint8Array | undefined)[]
}

/** Bytes of a line that carries no side data. */
export const lineBytes: number = 64 * 1024

/** Bytes of a line that carries side data for so many devices. */
export function sideDataLineBytes(devices: number): number {
  return lineBytes + devices * (base64Length(maxSideDataBytes) + 4)
}

function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3)
}

/** @throws Error that says what is wrong with the greeting. */
export function checkGreeting(line: string): void {
  const { hello, version: theirs } = recordOf(line)
  if (typeof hello !== 'string') throw new Error(`it did not greet: ${quoted(line)}`)
  if (theirs !== version)
    throw new Error(`it speaks version ${quoted(JSON.stringify(theirs))}, not ${version}`)
}

/** @throws Error that says what is wrong with the answer. */
export function answerOf(line: string): Answer {
  const { id, ok, error, sideData } = recordOf(line)
  if (typeof id !== 'number') throw new Error(`it sent an answer without an id: ${quoted(line)}`)
  if (ok === true) return sideData === undefined ? { id } : { id, sideData: bytesOf(sideData) }
  if (ok === false) return { id, error: typeof error === 'string' ? printable(error) : 'it does not say why' }
  throw new Error(`it sent an answer that is neither ok nor not: ${quoted(line)}`)
}

function recordOf(line: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new Error(`it sent what is no JSON: ${quoted(line)}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as never
  throw new Error(`it sent what is no JSON object: ${quoted(line)}`)
}

function bytesOf(sideData: unknown): readonly (Uint8Array | undefined)[] {
  if (!Array.isArray(sideData)) throw new Error('its side data is no list')
  return sideData.map((text: unknown) => {
    if (text === null) return undefined
    if (typeof text !== 'string') throw new Error('its side data is a list of other things than strings')
    const bytes = Buffer.from(text, 'base64')
    // Node skips what is no base64, and so would a byte of somebody's state.
    if (bytes.toString('base64') !== text) throw new Error('its side data is no base64')
    return bytes
  })
}

const shownCharacters = 500

/** Another process's words, without what could steer a terminal. */
function printable(text: string): string {
  const shown = text.slice(0, shownCharacters).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
  return text.length > shownCharacters ? `${shown}…` : shown
}

function quoted(text: string | undefined): string {
  return `'${printable(text ?? 'undefined').slice(0, 80)}'`
}
