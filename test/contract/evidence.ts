// SPDX-License-Identifier: Apache-2.0
import type { Rule, Witness } from './rule.ts'
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

/** One line a rule, for people. */
export function listing(rules: readonly Rule[]): string {
  return rules
    .map(rule => `${rule.where.padEnd(17)} ${kindsOf(rule).join(' ').padEnd(10)} ${rule.id}\n    ${rule.name}`)
    .join('\n')
}

/** Where a witness of a rule did not speak, or one spoke that the rule does not name. Empty when all is as declared. */
export function contradictions(rules: readonly Rule[], runs: readonly Run[], kernel: KernelSeries): string[] {
  const here = rules.filter(({ needs }) => needs.kernels?.includes(kernel) ?? true)
  const wanted = here.flatMap(rule => kindsOf(rule).flatMap(kind => missing(rule, kind, runs)))
  const unwanted = here.flatMap(rule => runs.flatMap(run => strange(rule, run)))
  return [...wanted, ...unwanted]
}

/** A rule of the core is shown by any real driver. */
function missing(rule: Rule, kind: string, runs: readonly Run[]): string[] {
  const witnesses = runs.filter(({ subject }) => subject.real !== undefined)
  const present = witnesses.filter(({ subject }) => kind === 'core' || subject.real === kind)
  if (kind === 'read only' || present.some(({ ran }) => ran.has(rule))) return []
  return [`${rule.id}: ${kind} is named as evidence, and did not run it`]
}

function strange(rule: Rule, { subject, ran }: Run): string[] {
  if (subject.real === undefined || !ran.has(rule)) return []
  const named: readonly string[] = [...kindsOf(rule)]
  const witnesses: readonly (Witness | undefined)[] = ['core', subject.real]
  return witnesses.some(witness => witness && named.includes(witness))
    ? []
    : [`${rule.id}: ran on ${subject.title}, which its evidence does not name`]
}
