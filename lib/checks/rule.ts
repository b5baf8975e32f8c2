// SPDX-License-Identifier: Apache-2.0

/** One row of a table of causes: when it applies, what it says, what helps. The first row that applies is the answer. */
export interface Rule<Subject> {
  /** Stable, for JSON and documentation. */
  readonly id: string
  applies(subject: Subject): boolean
  /** Short sentences: what is the matter, naming the thing. */
  cause(subject: Subject): string
  /** Short sentences or commands: what to do about it. */
  remedy(subject: Subject): string
}

/** A row that applied, in words. */
export interface Explanation {
  readonly id: string
  readonly cause: string
  readonly remedy: string
}

/** Applies a table whose last row always applies. */
export function explain<Subject>(rules: readonly Rule<Subject>[], subject: Subject): Explanation {
  const rule = rules.find(row => row.applies(subject))
  if (rule === undefined) throw new Error('the table has no default row')
  return { id: rule.id, cause: rule.cause(subject), remedy: rule.remedy(subject) }
}
