// SPDX-License-Identifier: Apache-2.0
import { layoutOf } from './layout.ts'

/*
 * The parts of a QAT block: a preamble, and sections that hold bytes or sections.
 * Source: drivers/crypto/intel/qat/qat_common/adf_mstate_mgr.c of Linux 7.2.
 */
const magic = 0xadf5caea
const version = 1

const preambleBytes = 16
const preamble = layoutOf({
  magic: [0, 'u32'],
  version: [4, 'u32'],
  length: [8, 'u16'],
  sections: [10, 'u16'],
  size: [12, 'u32'],
})

/** The first 8 bytes are the id, filled up with zeros. */
const sectionBytes = 16
const sectionHeader = layoutOf({ size: [8, 'u32'], children: [12, 'u32'] })
const idBytes = 8

/** A section to be written: with bytes of its own, or with sections in it. */
export interface Section {
  readonly id: string
  readonly holds: Uint8Array | readonly Section[]
}

/** Sections as they were read, which are bytes until they are looked into. */
export type Sections = ReadonlyMap<string, { readonly bytes: Buffer; readonly children: number }>

/** A preamble and its sections. */
export function encodePart(sections: readonly Section[]): Buffer {
  const body = Buffer.concat(sections.map(encodeSection))
  const head = Buffer.alloc(preambleBytes)
  preamble.write(head, {
    magic,
    version,
    length: preambleBytes,
    sections: sections.length,
    size: body.length,
  })
  return Buffer.concat([head, body])
}

function encodeSection({ id, holds }: Section): Buffer {
  const children = holds instanceof Uint8Array ? [] : holds
  const body = holds instanceof Uint8Array ? holds : Buffer.concat(children.map(encodeSection))
  const head = Buffer.alloc(sectionBytes)
  head.write(id, 0, idBytes - 1, 'latin1')
  sectionHeader.write(head, { size: body.length, children: children.length })
  return Buffer.concat([head, body])
}

/** The length of the part that begins `bytes`, as its preamble has it; undefined while that is not there. */
export function partLength(bytes: Buffer): number | undefined {
  if (bytes.length < preambleBytes) return undefined
  const { length, size } = preamble.read(bytes)
  return (length + size) >>> 0
}

/** The sections of the part that begins `bytes`; undefined for none that the driver takes. */
export function decodePart(bytes: Buffer): Sections | undefined {
  if (bytes.length < preambleBytes) return undefined
  const head = preamble.read(bytes)
  if (head.magic !== magic || head.version > version || head.length > bytes.length) return undefined
  return decodeSections(bytes.subarray(head.length), head.sections)
}

/** `count` sections one after another; undefined where one does not fit. Of two with one id the first is found. */
export function decodeSections(bytes: Buffer, count: number): Sections | undefined {
  const sections = new Map<string, { bytes: Buffer; children: number }>()
  let at = 0
  for (let index = 0; index < count; index++) {
    if (at + sectionBytes > bytes.length) return undefined
    const id = idOf(bytes.subarray(at, at + idBytes))
    const { size, children } = sectionHeader.read(bytes.subarray(at, at + sectionBytes))
    at += sectionBytes
    if (at + size > bytes.length) return undefined
    if (!sections.has(id)) sections.set(id, { bytes: bytes.subarray(at, at + size), children })
    at += size
  }
  return sections
}

/** The sections in a section; undefined where it is not there or they do not fit. */
export function within(sections: Sections | undefined, id: string): Sections | undefined {
  const section = sections?.get(id)
  return section && decodeSections(section.bytes, section.children)
}

function idOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('latin1', 0, end < 0 ? idBytes : end)
}
