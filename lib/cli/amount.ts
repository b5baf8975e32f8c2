// SPDX-License-Identifier: Apache-2.0

/** A kind of amount that the command line gives as a number with its unit: a number alone would be taken for another one. */
interface Amount {
  readonly what: string
  readonly example: string
  /** What one of each is. */
  readonly units: Readonly<Record<string, number>>
}

/** In bytes a second. */
const rate: Amount = {
  what: 'a rate above 0',
  example: '100MiB/s or 10Gbit/s',
  units: {
    'B/s': 1,
    'KiB/s': 1024,
    'MiB/s': 1024 ** 2,
    'GiB/s': 1024 ** 3,
    'kbit/s': 1e3 / 8,
    'Mbit/s': 1e6 / 8,
    'Gbit/s': 1e9 / 8,
  },
}

/** In milliseconds. */
const duration: Amount = {
  what: 'a time above 0',
  example: '500ms or 5min',
  units: { ms: 1, s: 1000, min: 60_000, h: 3_600_000 },
}

/**
 * @returns bytes per second.
 * @throws RangeError that says what it takes.
 */
export function bytesPerSecondOf(text: string): number {
  return amountOf(text, rate)
}

/**
 * @returns milliseconds.
 * @throws likewise.
 */
export function durationOf(text: string): number {
  return amountOf(text, duration)
}

function amountOf(text: string, { what, example, units }: Amount): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([A-Za-z/]+)$/.exec(text) ?? []
  const value = Number(digits) * (Object.hasOwn(units, unit) ? (units[unit] ?? 0) : 0)
  if (value > 0 && value < Infinity) return value
  throw new RangeError(`It is ${what} with its unit, such as ${example}: ${Object.keys(units).join(', ')}.`)
}
