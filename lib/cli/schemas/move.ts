// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc, StateName } from '../../index.ts'
import { cause, type CauseOutput } from './failure.ts'
import { keeping, type KeepingOutput } from './load.ts'
import { arc, bytes, device, mock, stateName, type DeviceOutput, type Schema } from './parts.ts'

export interface SideOutput {
  device: DeviceOutput
  arcs: Arc[]
  state?: StateName | undefined
  /** Why the source could not be stopped, although the destination runs; the exit status is 4 then. */
  error?: CauseOutput | undefined
}

export interface MoveOutput {
  schema: 1
  command: 'move'
  source: SideOutput
  destination: SideOutput
  /** One of the two is simulated, or both are. */
  mock?: true | undefined
  bytes: number
  /** Of those, bytes that were moved before the source was stopped. */
  precopyBytes: number
  rounds: number
  downtimeMs: number
  totalMs: number
  keeping: KeepingOutput
}

const ms: Schema<number> = v.pipe(v.number(), v.minValue(0))

const side: Schema<SideOutput> = v.strictObject({
  device,
  arcs: v.array(arc),
  state: v.optional(stateName),
  error: v.optional(cause),
})

export const move: Schema<MoveOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('move'),
  source: side,
  destination: side,
  mock,
  bytes,
  precopyBytes: bytes,
  rounds: v.pipe(v.number(), v.integer(), v.minValue(0)),
  downtimeMs: ms,
  totalMs: ms,
  keeping,
})
