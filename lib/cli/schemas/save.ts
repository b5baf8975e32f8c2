// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc, StateName } from '../../index.ts'
import { arc, bytes, device, stateName, type DeviceOutput, type Schema } from './parts.ts'

export interface SaveOutput {
  schema: 1
  command: 'save'
  device: DeviceOutput
  output: string
  bytes: number
  /** Of those, bytes that were read before the device was stopped. */
  precopyBytes: number
  arcs: Arc[]
  /** The state that the device was left in. */
  state: StateName
}

export const save: Schema<SaveOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('save'),
  device,
  output: v.string(),
  bytes,
  precopyBytes: bytes,
  arcs: v.array(arc),
  state: stateName,
})
