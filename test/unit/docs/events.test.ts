// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { eventNames } from '#lib/events.js'
import { heard } from '../migration/heard.js'
import { blocksOf, projectText, tableUnder } from './markdown.js'

const page = projectText('docs/events.md')
const rows = tableUnder(page, 'Channels').slice(1)

describe('docs/events.md', () => {
  it('shows an example that does what it says', async () => {
    const example = projectText('test/unit/docs/examples/events_subscribe.ts').replace(/^\/\/ SPDX.*\n/, '')
    assert.deepEqual(blocksOf(page, 'ts'), [example])
    await import('./examples/events_subscribe.js')
  })

  it('has every channel', () => {
    assert.deepEqual(
      rows.map(([name]) => name),
      eventNames.map(name => `\`vfio-migrate:${name}\``),
    )
  })

  it('names everything that a message has, and nothing else', async () => {
    const messages = await heard({ isRefusedByParticipant: true })
    for (const [index, name] of eventNames.entries()) {
      const keys = messages
        .filter(message => message.name === name)
        .flatMap(({ message }) => Object.keys(message))
      // Before each colon or at the front stands a property; what is behind a colon explains it.
      const told = (rows[index]?.[2] ?? '')
        .split(';')
        .flatMap(part => part.split(':')[0]?.match(/`\w+`/g) ?? [])
      assert.deepEqual(
        told.sort(),
        [...new Set(keys)].sort().map(key => `\`${key}\``),
        name,
      )
    }
  })
})
