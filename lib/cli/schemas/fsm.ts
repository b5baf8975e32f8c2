// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { StateName } from '../../index.ts'
import { stateName, type Schema } from './parts.ts'

export interface FlagsOutput {
  p2p: boolean
  preCopy: boolean
}

/** The next step from the outer state on the way to the inner one; null where the kernel answers EINVAL. */
export type NextStates = Partial<Record<StateName, Partial<Record<StateName, StateName | null>>>>

export interface FsmOutput {
  schema: 1
  command: 'fsm'
  flags: FlagsOutput
  states?: StateName[] | undefined
  next?: NextStates | undefined
  /** The states ahead, with --from and --to. */
  path?: StateName[] | undefined
}

const row: Schema<NextStates[StateName]> = v.record(stateName, v.nullable(stateName))

export const fsm: Schema<FsmOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('fsm'),
  flags: v.strictObject({ p2p: v.boolean(), preCopy: v.boolean() }),
  states: v.optional(v.array(stateName)),
  next: v.optional(v.record(stateName, row) as Schema<NextStates>),
  path: v.optional(v.array(stateName)),
})
