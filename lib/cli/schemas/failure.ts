// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc, StateName } from '../../index.ts'
import { arc, mock, recovery, stateName, type Schema } from './parts.ts'

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
  /** It is simulated. */
  mock?: true | undefined
  arcs: Arc[]
  state?: StateName | undefined
  recovery: 'none' | 'reset'
  wasReset?: boolean | undefined
}

export interface ErrorOutput extends CauseOutput {
  device?: string | undefined
  /** It is simulated; where no device was in hand, one that the command was to take is. */
  mock?: true | undefined
  /** Everything that the command did to the device, the recovery included. */
  arcs: Arc[]
  failedArc?: { from: StateName; to: StateName } | undefined
  /** As the kernel answered at the end; absent when it was not, or could not be, asked. */
  state?: StateName | undefined
  /** What is left to do with the device. */
  recovery: 'none' | 'reset'
  /**
   * True when the command has reset the device: what it held is gone. One that the command has opened by name, to load a
   * state into it, held nothing; the exit status is 1 then, if no other device is left otherwise than it was.
   */
  wasReset?: boolean | undefined
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

export const cause: Schema<CauseOutput> = v.strictObject(causeEntries)

const other: Schema<OtherDeviceOutput> = v.strictObject({
  device: v.string(),
  mock,
  arcs: v.array(arc),
  state: v.optional(stateName),
  recovery,
  wasReset: v.optional(v.boolean()),
})

export const failure: Schema<FailureOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.string(),
  error: v.strictObject({
    ...causeEntries,
    device: v.optional(v.string()),
    mock,
    arcs: v.array(arc),
    failedArc: v.optional(v.strictObject({ from: stateName, to: stateName })),
    state: v.optional(stateName),
    recovery,
    wasReset: v.optional(v.boolean()),
    cause: v.optional(cause),
    others: v.optional(v.array(other)),
  }),
})
