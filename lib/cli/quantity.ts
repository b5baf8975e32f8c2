// SPDX-License-Identifier: Apache-2.0
import type { Arc, StateName } from '../index.ts'

const units = ['KiB', 'MiB', 'GiB', 'TiB'] as const

/** Bytes for a person: exact where they are few, in binary units where they are many. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`
  const exponent = Math.min(Math.floor(Math.log2(bytes) / 10), units.length)
  return `${(bytes / 1024 ** exponent).toFixed(1)} ${units[exponent - 1]}`
}

/** Milliseconds for a person. */
export function msText(ms: number): string {
  return ms < 10_000 ? `${ms.toFixed(3)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** As wide as the longest name of a state. */
const stateWidth = 'PRE_COPY_P2P'.length

/** One arc and its time, in columns. */
export function arcText({ from, to, ms }: Arc): string {
  return `${edgeText(from, to)}  ${msText(ms).padStart(11)}`
}

/** From one state to another, in columns. */
export function edgeText(from: StateName, to: StateName): string {
  return `${from.padEnd(stateWidth)} → ${to.padEnd(stateWidth)}`
}
