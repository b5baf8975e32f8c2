// SPDX-License-Identifier: Apache-2.0
import { checkLoggedMemory } from './dma_log.ts'
import type { Finding, Move, PreflightOptions } from './preflight_facts.ts'
import { identityRules } from './preflight_identity.ts'
import { networkRules } from './preflight_network.ts'
import { pairRules } from './preflight_pairs.ts'
import type { PreflightRule } from './preflight_rule.ts'
import { setRules } from './preflight_sets.ts'
import { sizeRules } from './preflight_size.ts'

/** Everything that is looked at before a migration, in the order in which it is told. */
export const preflightRules: readonly PreflightRule[] = [
  ...pairRules,
  ...identityRules,
  ...sizeRules,
  ...setRules,
  ...networkRules,
]

/**
 * Every rule that applies to a move, whether it is overridden or not.
 * @throws TypeError for the id of no rule, or of one that cannot be overridden; RangeError for a limit below 1; either for
 *   memory that cannot be logged.
 */
export function findingsOf(move: Move): Finding[] {
  const { overrides = [] } = move.options
  checkPreflightOptions(move.options)
  return preflightRules.flatMap(rule => {
    const { id, level, overridable } = rule
    const row = { id, level, overridable, overridden: overrides.includes(id) }
    return rule.findings(move).map(finding => ({ ...row, ...finding }))
  })
}

/** @throws as {@link findingsOf}. */
export function checkPreflightOptions({ overrides = [], perPfLimit, dmaLogging }: PreflightOptions): void {
  for (const id of overrides) checkOverride(id)
  if (dmaLogging !== undefined) checkLoggedMemory(dmaLogging)
  if (perPfLimit === undefined) return
  if (typeof perPfLimit !== 'number') throw new TypeError('perPfLimit must be a number of virtual functions')
  if (!(perPfLimit >= 1)) throw new RangeError(`perPfLimit must be at least 1: ${perPfLimit}`)
}

function checkOverride(id: string): void {
  const rule = preflightRules.find(rule => rule.id === id)
  if (rule?.overridable) return
  const ids = preflightRules.filter(({ overridable }) => overridable).map(({ id }) => id)
  const what = rule === undefined ? `there is no rule '${id}'` : `the rule '${id}' cannot be overridden`
  throw new TypeError(`${what}: those that can are ${ids.join(', ')}`)
}
