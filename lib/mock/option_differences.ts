// SPDX-License-Identifier: Apache-2.0
import { resolveOptions, type ResolvedOptions } from './options.ts'

export type Difference = string | number | boolean

/** Options that are looked at; the others say what the device is, or are no values. */
const compared = [
  'capabilities',
  'latency',
  'bandwidth',
  'chunkSize',
  'reinit',
  'estimateSlack',
  'origin',
  'dmaLog',
] as const

/** What of a mock is not as of any mock of its flavour and kernel, by the dotted names that text has. */
export function differences(options: ResolvedOptions): Record<string, Difference> {
  const { flavour, kernel, seed } = options
  const usual = flattened(resolveOptions({ flavour: flavour.name, kernel, seed }))
  const differing = [...flattened(options)].filter(([field, value]) => usual.get(field) !== value)
  return Object.fromEntries(differing)
}

function flattened(options: ResolvedOptions): Map<string, Difference> {
  const rows = compared.flatMap((name): [string, Difference][] => {
    const value = options[name]
    if (value === undefined) return []
    if (typeof value !== 'object') return [[name, value]]
    const parts = Object.entries(value) as [string, Difference][]
    return parts.map(([part, value]) => [`${name}.${part}`, value])
  })
  return new Map(rows)
}
