// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { recoveryTable } from '#lib/migration/recovery.js'
import { linesWith } from '../../matrix/page.js'

describe('docs/recovery.md', () => {
  it('has the table of what is done with a device, in the order in which it is read', () => {
    assert.deepEqual(
      linesWith('id', 'found', 'act').map(({ id, act }) => [id, act]),
      recoveryTable.map(({ id, act }) => [id, act]),
    )
  })

  it('has each id once', () => {
    const ids = linesWith('id').map(({ id }) => id)
    assert.deepEqual([...new Set(ids)], ids)
  })
})
