// SPDX-License-Identifier: Apache-2.0

type Kind = 'u8' | 'u16' | 'u32' | 'u64'
type Value<K extends Kind> = K extends 'u64' ? bigint : number

/** Where a field of a C struct is, and how long. Every driver here has little-endian streams, or runs on such a machine only. */
export type Field = readonly [offset: number, kind: Kind]

type Fields = Readonly<Record<string, Field>>

/** What a struct's fields hold. */
export type Values<F extends Fields> = { readonly [N in keyof F]: Value<F[N][1]> }

/** Reads and writes the fields of one C struct. */
export interface Layout<F extends Fields> {
  read(bytes: Uint8Array): Values<F>
  /** Fields that are not named stay as they are. */
  write(bytes: Uint8Array, values: Partial<Values<F>>): void
}

type Access = {
  readonly [K in Kind]: {
    get(view: DataView, offset: number): number | bigint
    set(view: DataView, offset: number, value: number | bigint): void
  }
}

const access: Access = {
  u8: { get: (view, at) => view.getUint8(at), set: (view, at, value) => view.setUint8(at, Number(value)) },
  u16: {
    get: (view, at) => view.getUint16(at, true),
    set: (view, at, value) => view.setUint16(at, Number(value), true),
  },
  u32: {
    get: (view, at) => view.getUint32(at, true),
    set: (view, at, value) => view.setUint32(at, Number(value), true),
  },
  u64: {
    get: (view, at) => view.getBigUint64(at, true),
    set: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  },
}

/** The layout of a struct by its fields' offsets. */
export function layoutOf<const F extends Fields>(fields: F): Layout<F> {
  const all = Object.entries(fields)
  return {
    read(bytes) {
      const view = viewOf(bytes)
      const values = all.map(([name, [offset, kind]]) => [name, access[kind].get(view, offset)])
      return Object.fromEntries(values) as Values<F>
    },
    write(bytes, values) {
      const view = viewOf(bytes)
      for (const [name, [offset, kind]] of all) {
        const value = (values as Record<string, number | bigint | undefined>)[name]
        if (value !== undefined) access[kind].set(view, offset, value)
      }
    },
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
