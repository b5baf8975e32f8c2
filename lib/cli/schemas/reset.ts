// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { StateName } from '../../index.ts'
import { device, stateName, type DeviceOutput, type Schema } from './parts.ts'

export interface ResetOutput {
  schema: 1
  command: 'reset'
  device: DeviceOutput
  /** Both absent for a device that does not migrate. */
  before?: StateName | undefined
  state?: StateName | undefined
}

export const reset: Schema<ResetOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('reset'),
  device,
  before: v.optional(stateName),
  state: v.optional(stateName),
})
