// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type { StateName } from '../../index.ts'
import { mock, stateName, type Schema } from './parts.ts'

export interface StateOutput {
  schema: 1
  command: 'state'
  device: string
  state: StateName
  /** Who told: the kernel's debugfs, the fd that was lent, or a mock. */
  source: 'debugfs' | 'fd' | 'mock'
  mock?: true | undefined
}

export const state: Schema<StateOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('state'),
  device: v.string(),
  state: stateName,
  source: v.picklist(['debugfs', 'fd', 'mock']),
  mock,
})
