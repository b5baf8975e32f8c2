// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { blocksOf, projectText, tableUnder } from './markdown.js'

const page = projectText('docs/streams.md')

describe('docs/streams.md', () => {
  it('shows an example that does what it says', async () => {
    const example = projectText('test/unit/docs/examples/streams_pump.ts').replace(/^\/\/ SPDX.*\n/, '')
    assert.deepEqual(blocksOf(page, 'ts'), [example])
    await import('./examples/streams_pump.js')
  })

  it('has every option of pump(), and nothing else', () => {
    const declared = projectText('lib/device/pump_options.ts').matchAll(/^  readonly (\w+)\?:/gm)
    const told = tableUnder(page, 'pump').slice(1)
    assert.deepEqual(
      told.map(([name = '']) => name.replaceAll('`', '')).sort(),
      [...declared].map(([, name]) => name).sort(),
    )
  })
})
