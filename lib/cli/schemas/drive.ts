// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc, StateName } from '../../index.ts'
import { arc, bytes, device, stateName, type DeviceOutput, type Schema } from './parts.ts'

export interface PrecopyOutput {
  initialBytes: number
  dirtyBytes: number
  bufferedBytes: number
  reinit: boolean
}

/** One of the states that were asked for. */
export interface StepOutput {
  target: StateName
  arcs: Arc[]
  /** What the device said on arrival, in the pre-copy states. */
  precopy?: PrecopyOutput | undefined
  /** The driver's estimate, in STOP_COPY; absent where it gives none. */
  stopCopyBytes?: number | undefined
  /** What was read until the device had no more, in the states that save. */
  bytesRead?: number | undefined
}

export interface DriveOutput {
  schema: 1
  command: 'drive'
  device: DeviceOutput
  before: StateName
  steps: StepOutput[]
  /** As the kernel answered at the end, before the device was closed. */
  state: StateName
}

const precopy: Schema<PrecopyOutput> = v.strictObject({
  initialBytes: bytes,
  dirtyBytes: bytes,
  bufferedBytes: bytes,
  reinit: v.boolean(),
})

const step: Schema<StepOutput> = v.strictObject({
  target: stateName,
  arcs: v.array(arc),
  precopy: v.optional(precopy),
  stopCopyBytes: v.optional(bytes),
  bytesRead: v.optional(bytes),
})

export const drive: Schema<DriveOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('drive'),
  device,
  before: stateName,
  steps: v.array(step),
  state: stateName,
})
