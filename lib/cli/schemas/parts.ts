// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc } from '../../index.ts'
import { stateNames, type StateName } from '../../kernel/state.ts'

/** A schema whose input and output are one type: JSON is checked, never changed. */
export type Schema<T> = v.GenericSchema<T>

export const stateName: Schema<StateName> = v.picklist(stateNames)

export const arc: Schema<Arc> = v.strictObject({
  from: stateName,
  to: stateName,
  ms: v.pipe(v.number(), v.minValue(0)),
})

/** Bytes, exact. */
export const bytes: Schema<number> = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

export const recovery: Schema<'none' | 'reset'> = v.picklist(['none', 'reset'])

/** There for what is simulated: its numbers say nothing of hardware. */
export const mock: Schema<true | undefined> = v.optional(v.literal(true))

/** A device that was opened, as the results name it. */
export interface DeviceOutput {
  name: string
  driver?: string | undefined
  origin: 'opened' | 'lent'
  via: 'cdev' | 'group' | 'fd' | 'backend'
  /** It is simulated. */
  mock?: true | undefined
}

export const device: Schema<DeviceOutput> = v.strictObject({
  name: v.string(),
  driver: v.optional(v.string()),
  origin: v.picklist(['opened', 'lent']),
  via: v.picklist(['cdev', 'group', 'fd', 'backend']),
  mock,
})
