// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { optionNames } from '#lib/migration/check_options.js'
import { blocksOf, projectText, tableUnder } from './markdown.js'

const page = projectText('docs/migrate.md')

describe('docs/migrate.md', () => {
  it('shows an example that does what it says', async () => {
    const example = projectText('test/unit/docs/examples/migrate_policy.ts').replace(/^\/\/ SPDX.*\n/, '')
    assert.deepEqual(blocksOf(page, 'ts'), [example])
    await import('./examples/migrate_policy.js')
  })

  it('has every option, and nothing else', () => {
    const told = tableUnder(page, 'Options').slice(1)
    assert.deepEqual(told.map(([name = '']) => name.replaceAll('`', '')).sort(), [...optionNames].sort())
  })
})
