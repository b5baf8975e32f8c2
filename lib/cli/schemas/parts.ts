// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc } from '../../index.ts'
import { stateNames, type StateName } from '../../kernel/state.ts'

/** A schema whose input and output are one type: JSON is checked, never changed. */
export type Schema<T> = v.GenericSchema<T>

export const stateName: Schema<StateName> = v.picklist(stateNames)

/** Milliseconds, in any fraction. */
export const ms: Schema<number> = v.pipe(v.number(), v.minValue(0))

export const count: Schema<number> = v.pipe(v.number(), v.integer(), v.minValue(0))

export const arc: Schema<Arc> = v.strictObject({ from: stateName, to: stateName, ms })

/** Bytes, exact. */
export const bytes: Schema<number> = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

export const recovery: Schema<'none' | 'reset'> = v.picklist(['none', 'reset'])

/** There for what is simulated: its numbers say nothing of hardware. */
export const mock: Schema<true | undefined> = v.optional(v.literal(true))

/** What a mock is told to be: what of it is not as of any mock of its flavour, and its faults, too. */
export interface SimulationOutput {
  flavour: string
  /** Whose manners it has: `7.2`. */
  kernel: string
  /** `'confirmed'`: the driver itself was run. `'read'`: its source was read, and nothing was run. */
  evidence: 'confirmed' | 'read'
  size: number
  workload: { bytesPerSecond: number; workingSet: number }
  /** By the names that they have on the command line; bytes, bytes a second, milliseconds. */
  options: Record<string, string | number | boolean>
  /** As they are written on the command line. */
  faults: string[]
}

export const simulation: Schema<SimulationOutput> = v.strictObject({
  flavour: v.string(),
  kernel: v.string(),
  evidence: v.picklist(['confirmed', 'read']),
  size: bytes,
  workload: v.strictObject({ bytesPerSecond: v.pipe(v.number(), v.minValue(0)), workingSet: bytes }),
  options: v.record(v.string(), v.union([v.string(), v.number(), v.boolean()])),
  faults: v.array(v.string()),
})

/** A device that was opened, as the results name it. */
export interface DeviceOutput {
  name: string
  driver?: string | undefined
  origin: 'opened' | 'lent'
  via: 'cdev' | 'group' | 'fd' | 'backend'
  /** It is simulated. */
  mock?: true | undefined
  /** What it was told to be, where this command has made it. */
  simulation?: SimulationOutput | undefined
}

export const device: Schema<DeviceOutput> = v.strictObject({
  name: v.string(),
  driver: v.optional(v.string()),
  origin: v.picklist(['opened', 'lent']),
  via: v.picklist(['cdev', 'group', 'fd', 'backend']),
  mock,
  simulation: v.optional(simulation),
})
