// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import { hostDevice, type HostDeviceOutput } from './list.ts'
import { simulation, type Schema, type SimulationOutput } from './parts.ts'

export interface ShowOutput {
  schema: 1
  command: 'show'
  device: HostDeviceOutput
  /** What would make it migrate; absent where it does. */
  remedy?: string | undefined
  /** What a mock is told to be; absent for other devices, and for a mock of another process. */
  simulation?: SimulationOutput | undefined
}

export const show: Schema<ShowOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('show'),
  device: hostDevice,
  remedy: v.optional(v.string()),
  simulation: v.optional(simulation),
})
