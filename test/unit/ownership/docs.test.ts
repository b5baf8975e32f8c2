// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { destinationTable } from '#lib/ownership/destination.js'
import { destinationFacts, sourceFacts } from '#lib/ownership/journal.js'
import { sourceTable } from '#lib/ownership/source.js'

const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')

describe('docs/protocol.md', () => {
  it('has a row for every fact, with the side that writes it', () => {
    const rows = [...page.matchAll(/^\| `([\w-]+)` +\| (source|destination) +\| [^|]+\| [^|]+\|$/gm)]
    const told = new Map(rows.map(([, fact = '', side]) => [fact, side]))
    for (const fact of sourceFacts) assert.equal(told.get(fact), 'source')
    for (const fact of destinationFacts) assert.equal(told.get(fact), 'destination')
  })

  it('draws every state of both tables', () => {
    const drawn = [...page.matchAll(/^```\n([^]*?)^```/gm)].map(([, drawing]) => drawing).join('')
    for (const state of [...Object.keys(sourceTable), ...Object.keys(destinationTable)]) {
      assert.match(drawn, new RegExp(`\\b${state}\\b`))
    }
  })
})
