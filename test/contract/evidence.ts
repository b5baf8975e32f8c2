// SPDX-License-Identifier: Apache-2.0
import { missing, type Rule, type Witness } from './rule.ts'
import type { KernelSeries, Subject } from './subject.ts'

/** What ran on one subject. */
export interface Run {
  readonly subject: Subject
  readonly ran: ReadonlySet<Rule>
}

const kinds = ['core', 'mtty', 'mlx5', 'read only'] as const

/** Under what a rule is counted: each of its witnesses, or 'read only'. */
const kindsOf = ({ evidence }: Rule): readonly string[] => (evidence === 'read only' ? [evidence] : evidence)

/** `98 rules: core 20, mtty 40, mlx5 50, read only 6`; a rule with two witnesses is counted under both. */
export function counts(rules: readonly Rule[]): string {
  const each = kinds.map(kind => `${kind} ${rules.filter(rule => kindsOf(rule).includes(kind)).length}`)
  return `${rules.length} rules: ${each.join(', ')}`
}

/** `12 rules, for want of raw 11, poll 1`: a rule is counted under each thing that it asks for in vain. */
export function wants(left: readonly Rule[], subject: Subject): string {
  if (left.length === 0) return 'no rule'
  const lacked = left.flatMap(rule => missing(rule, subject))
  const each = [...new Set(lacked)].map(
    control => `${control} ${lacked.filter(one => one === control).length}`,
  )
  return `${left.length} rules, for want of ${each.join(', ')}`
}

/** One line a rule, for people. */
export function listing(rules: readonly Rule[]): string {
  return rules
    .map(
      rule => `${rule.where.padEnd(17)} ${kindsOf(rule).join(' ').padEnd(10)} ${rule.id}\n    ${rule.name}`,
    )
    .join('\n')
}

/**
 * Where one of the witnesses that were heard did not show a rule that names it, or one showed a rule that does not.
 * Empty when all is as declared.
 */
export function contradictions(
  rules: readonly Rule[],
  runs: readonly Run[],
  { kernel, heard }: { kernel: KernelSeries; heard: readonly Witness[] },
): string[] {
  const here = rules.filter(({ needs }) => needs.kernels?.includes(kernel) ?? true)
  const unseen = here.flatMap(rule =>
    heard
      .filter(witness => kindsOf(rule).includes(witness) && !showed(rule, witness, runs))
      .map(witness => `${rule.id}: ${witness} is named as evidence, and did not run it`),
  )
  return [...unseen, ...here.flatMap(rule => runs.flatMap(run => strange(rule, run)))]
}

/** A rule of the core is shown by any real driver. */
function showed(rule: Rule, witness: Witness, runs: readonly Run[]): boolean {
  return runs.some(
    ({ subject: { real }, ran }) =>
      ran.has(rule) && (real === witness || (witness === 'core' && real !== undefined)),
  )
}

function strange(rule: Rule, { subject, ran }: Run): string[] {
  if (subject.real === undefined || !ran.has(rule)) return []
  const named: readonly string[] = [...kindsOf(rule)]
  const witnesses: readonly (Witness | undefined)[] = ['core', subject.real]
  return witnesses.some(witness => witness && named.includes(witness))
    ? []
    : [`${rule.id}: ran on ${subject.title}, which its evidence does not name`]
}
