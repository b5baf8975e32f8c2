// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { counts, wants, type Run } from './evidence.ts'
import { applies, isAbout, missing, type Rule } from './rule.ts'
import { rules } from './rules/index.ts'
import type { Subject } from './subject.ts'

const title = ({ id, where, name }: Rule): string => `${where}: ${name} [${id}]`

/**
 * Every rule that says something about the subject is a test; answers which of them ran. Where most of them have run on its
 * twin, `only` says which are left.
 */
export function contract(subject: Subject, only: (rule: Rule) => boolean = () => true): Run {
  const wanted = rules.filter(only)
  const chosen = wanted.filter(rule => applies(rule, subject))
  const left = wanted.filter(rule => isAbout(rule, subject) && !applies(rule, subject))
  const ran = new Set<Rule>()
  describe(`the contract on ${subject.title}`, () => {
    for (const rule of chosen) {
      it(title(rule), async () => {
        ran.add(rule)
        await rule.run(subject)
      })
    }
    it(`has run: ${counts(chosen)}`, () => {
      const silent = chosen.filter(rule => !ran.has(rule)).map(rule => rule.id)
      assert.deepEqual(silent, [])
      assert.notEqual(chosen.length, 0)
    })
    it(`was not asked: ${wants(left, subject)}`, () => {
      const unexplained = left.filter(rule =>
        missing(rule, subject).every(control => !subject.lacks.has(control)),
      )
      assert.deepEqual(
        unexplained.map(rule => rule.id),
        [],
      )
    })
    after(async () => {
      await subject.close?.()
    })
  })
  return { subject, ran }
}
