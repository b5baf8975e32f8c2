// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { contradictions, counts, type Run } from './evidence.ts'
import { applies, isAbout, missing, type Evidence, type Needs, type Rule } from './rule.ts'
import { rules } from './rules/index.ts'
import type { Subject } from './subject.ts'

const rule = (evidence: Evidence, needs: Needs = {}): Rule => ({
  ...{ id: 'a', name: 'something holds', where: 'features', evidence, needs },
  run: () => Promise.resolve(),
})

const subject = (real: Subject['real'], more: Partial<Subject> = {}): Subject => ({
  ...{ title: 'a device', real, flavour: 'mlx5', kernel: '7.2', flags: 7, logging: false },
  ...{ controls: new Set(['hold'] as const), lacks: new Set() },
  open: () => Promise.reject(new Error('not opened')),
  ...more,
})

const ran = (real: Subject['real'], ...those: Rule[]): Run => ({
  subject: subject(real),
  ran: new Set(those),
})
const heard = ['core', 'mtty', 'mlx5'] as const

describe('the rules of the contract', () => {
  it('have an id and a name each that no other has', () => {
    for (const key of ['id', 'name'] as const) {
      const all = rules.map(one => one[key])
      assert.deepEqual(
        all.filter((one, index) => all.indexOf(one) !== index),
        [],
      )
    }
  })

  it('are counted under each witness that they name', () => {
    const some = [rule(['mtty', 'mlx5']), rule(['core']), rule('read only')]
    assert.equal(counts(some), '3 rules: core 1, mtty 1, mlx5 1, read only 1')
  })
})

describe('a rule', () => {
  it('applies where flags, flavour, kernel and controls are as it needs them', () => {
    const needs: Needs = { flags: 6, flavours: ['mlx5'], kernels: ['7.2'], controls: ['hold'] }
    assert.ok(applies(rule(['mlx5'], needs), subject(undefined)))
    for (const other of [{ flags: 3 }, { flavour: 'mtty' }, { kernel: '6.12' }] as const)
      assert.ok(!isAbout(rule(['mlx5'], needs), subject(undefined, other)))
  })

  it('is about a subject that lacks a control, and says which', () => {
    const one = rule(['mlx5'], { controls: ['hold', 'digest'] })
    assert.ok(isAbout(one, subject(undefined)) && !applies(one, subject(undefined)))
    assert.deepEqual(missing(one, subject(undefined)), ['digest'])
  })

  it('is not about a device without migration unless it says so', () => {
    assert.ok(!applies(rule(['core']), subject(undefined, { flavour: 'none', flags: 0 })))
    assert.ok(
      applies(rule(['core'], { flavours: ['none'] }), subject(undefined, { flavour: 'none', flags: 0 })),
    )
  })
})

describe('evidence', () => {
  const told = (one: Rule, ...runs: Run[]): string[] => contradictions([one], runs, { kernel: '7.2', heard })

  it('is contradicted by a witness that is named and did not run the rule', () => {
    const one = rule(['mtty', 'mlx5'])
    assert.deepEqual(told(one, ran('mtty', one)), ['a: mlx5 is named as evidence, and did not run it'])
  })

  it('is contradicted by a real driver that ran a rule which does not name it', () => {
    const readOnly = rule('read only')
    assert.deepEqual(told(readOnly, ran('mlx5', readOnly)), [
      'a: ran on a device, which its evidence does not name',
    ])
    const mttyAlone = rule(['mtty'])
    assert.equal(told(mttyAlone, ran('mtty', mttyAlone), ran('mlx5', mttyAlone)).length, 1)
  })

  it('of the core is any real driver, and none of the stand-ins', () => {
    const one = rule(['core'])
    assert.deepEqual(told(one, ran('mlx5', one)), [])
    assert.equal(told(one, ran(undefined, one)).length, 1)
  })

  it('is asked for on the kernels alone that the rule is about', () => {
    const one = rule(['mtty'], { kernels: ['6.12'] })
    assert.deepEqual(told(one), [])
  })

  it('that was only read is no contradiction where only stand-ins ran it', () => {
    const one = rule('read only')
    assert.deepEqual(told(one, ran(undefined, one)), [])
  })
})
