// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import * as mock from 'vfio-migrate/mock'
import { optionNames } from '#lib/mock/option_schema.js'
import { blocksOf, projectText, tableUnder } from './markdown.js'
import { commandErrnos, faultTable, flavourTable } from './mock_tables.js'

const page = projectText('docs/mock.md')
const examples = readdirSync(new URL('../../../test/unit/docs/examples', import.meta.url)).filter(name =>
  name.startsWith('mock_'),
)

describe('docs/mock.md', () => {
  it('shows the examples that are run here, and no others', () => {
    const texts = examples.map(name =>
      projectText(`test/unit/docs/examples/${name}`).replace(/^\/\/ SPDX.*\n/, ''),
    )
    assert.deepEqual(blocksOf(page, 'ts').sort(), texts.sort())
  })

  for (const name of examples) {
    it(`shows an example that does what it says: ${name}`, async () => {
      await import(`./examples/${name.replace(/ts$/, 'js')}`)
    })
  }

  it('lists every option, with its parts', () => {
    const [, ...rows] = tableUnder(page, 'Options')
    assert.deepEqual(
      rows.map(([name]) => name),
      Object.keys(optionNames).map(name => `\`${name}\``),
    )
    for (const [index, parts] of Object.values(optionNames).entries()) {
      for (const part of parts) assert.ok(rows[index]?.[2]?.includes(`\`${part}\``), part)
    }
  })

  it('has the manners of every flavour as the code has them', () => {
    assert.deepEqual(tableUnder(page, 'Flavours'), flavourTable())
  })

  it('names everything that is exported', () => {
    for (const name of Object.keys(mock)) assert.match(page, new RegExp(`\\b${name}\\b`), name)
  })

  it('names everything that a MockDevice has', () => {
    for (const name of Object.getOwnPropertyNames(mock.MockDevice.prototype))
      if (name !== 'constructor') assert.match(page, new RegExp(`\\b${name}\\b`), name)
  })

  it('lists every fault point, with what it takes', () => {
    assert.deepEqual(tableUnder(page, 'Fault points'), faultTable())
    assert.ok(page.includes(`Errnos of a command: ${commandErrnos}.`))
  })
})
