// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { migratableRules } from '#lib/checks/migratable.js'
import { closedRules, openRules } from '#lib/checks/open_rules.js'

const errors = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')

function idsUnder(heading: string): string[] {
  const section = errors.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/^\| `([\w-]+)`/gm)].map(([, id = '']) => id)
}

describe('docs/errors.md', () => {
  it('lists the causes of ERR_VFIO_OPEN', () => {
    const ids = [...closedRules, ...openRules].map(rule => rule.id)
    assert.deepEqual(idsUnder('Why a device does not open').sort(), ids.sort())
  })

  it('lists the causes of ERR_VFIO_NOT_MIGRATABLE', () => {
    const ids = migratableRules.map(rule => rule.id)
    assert.deepEqual(idsUnder('Why a device does not migrate').sort(), ids.sort())
  })
})
