// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { Arc, Finding, StateName } from '../../index.ts'
import { interrupters, type Interrupter } from '../interruption.ts'
import { cause, errno, type CauseOutput } from './cause.ts'
import { finding } from './finding.ts'
import { report, type ReportOutput } from './move.ts'
import { arc, mock, recovery, stateName, type Schema } from './parts.ts'

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
  /** The signal that ended the command early, or its --timeout. */
  interruptedBy?: Interrupter | undefined
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
  /** Of a migration that was refused: all that was found, warnings too. */
  findings?: Finding[] | undefined
  others?: OtherDeviceOutput[] | undefined
}

/** What any command prints with --json when it fails. */
export interface FailureOutput {
  schema: 1
  command: string
  error: ErrorOutput
  /** Of a migration that was begun. */
  report?: ReportOutput | undefined
}

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
    code: v.string(),
    message: v.string(),
    errno,
    request: v.optional(v.string()),
    interruptedBy: v.optional(v.picklist(interrupters)),
    device: v.optional(v.string()),
    mock,
    arcs: v.array(arc),
    failedArc: v.optional(v.strictObject({ from: stateName, to: stateName })),
    state: v.optional(stateName),
    recovery,
    wasReset: v.optional(v.boolean()),
    cause: v.optional(cause),
    findings: v.optional(v.array(finding)),
    others: v.optional(v.array(other)),
  }),
  report: v.optional(report),
})
