// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc, StateName } from '../../index.ts'
import { arc, bytes, device, stateName, type DeviceOutput, type Schema } from './parts.ts'

/** What becomes of a restored device. */
export type KeepingOutput = 'stay' | 'exec' | 'release'

export const keeping: Schema<KeepingOutput> = v.picklist(['stay', 'exec', 'release'])

export interface LoadOutput {
  schema: 1
  command: 'load'
  device: DeviceOutput
  input: string
  bytes: number
  arcs: Arc[]
  state: StateName
  keeping: KeepingOutput
}

export const load: Schema<LoadOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('load'),
  device,
  input: v.string(),
  bytes,
  arcs: v.array(arc),
  state: stateName,
  keeping,
})
