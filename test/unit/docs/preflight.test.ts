// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { findingsOf, preflightRules } from '#lib/checks/preflight.js'
import { phases } from '#lib/migration/phases.js'
import { move, withPort } from '../checks/preflight_move.js'
import { blocksOf, projectText, tableUnder } from './markdown.js'

const text = projectText('docs/preflight.md')

describe('docs/preflight.md', () => {
  it('has every rule, in the order in which they are told, and says which refuse and which can be overridden', () => {
    const [, ...rows] = tableUnder(text, 'Rules')
    assert.deepEqual(
      rows.map(([id, level, override]) => [id, level, override]),
      preflightRules.map(({ id, level, overridable }) => [`\`${id}\``, level, overridable ? 'yes' : 'no']),
    )
    for (const row of rows) assert.ok(row.every(cell => cell !== ''))
  })

  it('has the phases of a plan in their order', () => {
    const [, ...rows] = tableUnder(text, 'The plan')
    assert.deepEqual(
      rows.map(([phase]) => phase),
      phases.map(phase => `\`${phase}\``),
    )
  })

  it('shows a finding as it is', () => {
    const [shown = ''] = blocksOf(text, 'json')
    const found = findingsOf(move({ to: withPort({ vlan: 100 }) }))
    assert.deepEqual([JSON.parse(shown)], found)
  })
})
