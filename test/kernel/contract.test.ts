// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { contradictions, counts } from '../contract/evidence.ts'
import { rules } from '../contract/rules/index.ts'
import { contract } from '../contract/suite.ts'
import { bottledMlx5 } from '../contract/subjects/bottle.ts'
import { mtty } from '../contract/subjects/mtty.ts'
import { plainFunction } from '../contract/subjects/plain_function.ts'
import { isAtLeast } from './release.ts'

const kernel = isAtLeast(7, 1) ? '7.2' : '6.12'
const runs = [
  contract(mtty(kernel)),
  contract(bottledMlx5(kernel, { logging: false })),
  contract(bottledMlx5(kernel, { logging: true }), ({ needs }) => needs.logging === true),
  contract(plainFunction(kernel)),
]

describe('the evidence that the rules of the contract name', () => {
  it(`is what this kernel has shown: ${counts(rules)}`, () => {
    assert.deepEqual(contradictions(rules, runs, { kernel, heard: ['core', 'mtty', 'mlx5'] }), [])
  })
})
