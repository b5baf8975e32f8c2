// SPDX-License-Identifier: Apache-2.0

/** The memory through which a session's bytes go: read ahead of who takes them, or handed in ahead of the device. */
export interface Buffers {
  /** How many, 1 to 64, beside the one that its taker has in hand; 4 unless told. */
  readonly count?: number
  /**
   * Of each, which is what one read(2) asks for: 4 KiB to 16 MiB; 1 MiB unless told. From device to device of one process two
   * reads share all of it, and make several calls each.
   */
  readonly bytes?: number
}

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

const limits = {
  count: { least: 1, most: 64, usual: 4 },
  bytes: { least: 4 * kibibyte, most: 16 * mebibyte, usual: mebibyte },
} as const

/** @throws TypeError or RangeError for what is no number of them, or no size. @internal */
export function checkBuffers(given: unknown = {}): Required<Buffers> {
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`buffers must be { count, bytes }, not ${String(given)}`)
  const { count, bytes } = given as Partial<Record<keyof Buffers, unknown>>
  return { count: checked('count', count), bytes: checked('bytes', bytes) }
}

function checked(name: keyof typeof limits, value: unknown): number {
  const { least, most, usual } = limits[name]
  if (value === undefined) return usual
  if (typeof value !== 'number') throw new TypeError(`buffers.${name} must be a number, not ${typeof value}`)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new RangeError(`buffers.${name} must be a whole number from ${least} to ${most}, not ${value}`)
}
