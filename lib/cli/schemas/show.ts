// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import { hostDevice, type HostDeviceOutput } from './list.ts'
import type { Schema } from './parts.ts'

export interface ShowOutput {
  schema: 1
  command: 'show'
  device: HostDeviceOutput
  /** What would make it migrate; absent where it does. */
  remedy?: string | undefined
}

export const show: Schema<ShowOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('show'),
  device: hostDevice,
  remedy: v.optional(v.string()),
})
