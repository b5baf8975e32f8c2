// SPDX-License-Identifier: Apache-2.0
import type { PresetPolicyOptions } from './policy.ts'
import type { Decision, Policy, Reasoned } from './progress.ts'

/**
 * A stop rule that was given, within what holds for every one: no switch before the initial bytes are loaded, as long as a
 * round can load them, unless the deadline forces it. The preset heeds that by itself.
 */
export function guarded(
  policy: Policy,
  { deadlineMs = Infinity, onDeadline = 'switch' }: Pick<PresetPolicyOptions, 'deadlineMs' | 'onDeadline'>,
): Policy {
  return progress => {
    const { canImprove, elapsedMs, initialBytesLeft } = progress
    if (elapsedMs >= deadlineMs)
      return { decision: onDeadline, why: `the deadline of ${deadlineMs} ms has passed` }
    const answer = policy(progress)
    if (initialBytesLeft === 0 || !canImprove || decisionOf(answer) !== 'switch') return answer
    return { decision: 'continue', why: `${initialBytesLeft} initial bytes are not loaded` }
  }
}

/** A policy that was written without types may answer anything. */
function decisionOf(answer: Decision | Reasoned): unknown {
  return typeof answer === 'string' ? answer : (answer as Partial<Reasoned> | undefined)?.decision
}
