// SPDX-License-Identifier: Apache-2.0

/** A kind of amount that options give as a number, or as text with a unit. */
export interface Quantity {
  readonly noun: string
  /** What one of the unit is, in the unit of the plain number, which is `''`. */
  readonly units: Readonly<Record<string, number>>
  readonly example: string
}

const binary = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 }
const perSecond = Object.entries(binary).map(([unit, bytes]) => [unit === '' ? '' : `${unit}/s`, bytes])

export const size: Quantity = { noun: 'a size in bytes', units: binary, example: '64MiB' }

export const rate: Quantity = {
  noun: 'a rate in bytes a second',
  units: Object.fromEntries(perSecond) as Record<string, number>,
  example: '20MiB/s',
}

export const time: Quantity = {
  noun: 'a time in milliseconds',
  units: { '': 1, us: 1e-3, ms: 1, s: 1000 },
  example: '5ms',
}

/** The number that `given` stands for; undefined where it stands for none. */
export function amountOf(given: number | string, { units }: Quantity): number | undefined {
  if (typeof given === 'number') return given
  const [, digits = '', unit = ''] = /^(-?\d+(?:\.\d+)?) ?([A-Za-z]*(?:\/s)?)$/.exec(given) ?? []
  const one = Object.hasOwn(units, unit) ? units[unit] : undefined
  return digits === '' || one === undefined ? undefined : Number(digits) * one
}

/** What an amount is to look like, for who has given something else. */
export function howToGive({ units, example }: Quantity): string {
  const names = Object.keys(units).filter(Boolean)
  return `Give a number, or a number with its unit, such as ${example}. Units are ${names.join(', ')}`
}
