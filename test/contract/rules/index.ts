// SPDX-License-Identifier: Apache-2.0
import type { Rule } from '../rule.ts'
import { features } from './features.ts'
import { stateMachine } from './state_machine.ts'
import { sessions } from './sessions.ts'

/** The contract. */
export const rules: readonly Rule[] = [...features, ...stateMachine, ...sessions]
