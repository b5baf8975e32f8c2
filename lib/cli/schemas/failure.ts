// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc, StateName } from '../../index.ts'
import { arc, recovery, stateName, type Schema } from './parts.ts'

export interface CauseOutput {
  /** The name of an errno, ERR_VFIO_…, or ABORT_ERR. */
  code: string
  message: string
  /** Negative, as Node has it. */
  errno?: number | undefined
  /** The ioctl's name in vfio.h. */
  request?: string | undefined
}

/** A device of the command other than the one that failed. */
export interface OtherDeviceOutput {
  device: string
  arcs: Arc[]
  state?: StateName | undefined
  recovery: 'none' | 'reset'
}

export interface ErrorOutput extends CauseOutput {
  device?: string | undefined
  /** Everything that the command did to the device, the recovery included. */
  arcs: Arc[]
  failedArc?: { from: StateName; to: StateName } | undefined
  /** As the kernel answered at the end; absent when it was not, or could not be, asked. */
  state?: StateName | undefined
  recovery: 'none' | 'reset'
  cause?: CauseOutput | undefined
  others?: OtherDeviceOutput[] | undefined
}

/** What any command prints with --json when it fails. */
export interface FailureOutput {
  schema: 1
  command: string
  error: ErrorOutput
}

const causeEntries = {
  code: v.string(),
  message: v.string(),
  errno: v.optional(v.pipe(v.number(), v.integer(), v.maxValue(-1))),
  request: v.optional(v.string()),
}

const other: Schema<OtherDeviceOutput> = v.strictObject({
  device: v.string(),
  arcs: v.array(arc),
  state: v.optional(stateName),
  recovery,
})

export const failure: Schema<FailureOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.string(),
  error: v.strictObject({
    ...causeEntries,
    device: v.optional(v.string()),
    arcs: v.array(arc),
    failedArc: v.optional(v.strictObject({ from: stateName, to: stateName })),
    state: v.optional(stateName),
    recovery,
    cause: v.optional(v.strictObject(causeEntries)),
    others: v.optional(v.array(other)),
  }),
})
