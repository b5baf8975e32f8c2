// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { vfioErrorCodes } from '#lib/errors.js'
import { blocksOf, projectText as text } from './markdown.js'

describe('docs/errors.md', () => {
  it('explains every code of ours, and none that is not', () => {
    const explained = [...text('docs/errors.md').matchAll(/^\| `(ERR_VFIO_\w+)`/gm)].map(([, code]) => code)
    assert.deepEqual(explained.sort(), [...vfioErrorCodes].sort())
  })
})

describe('README.md', () => {
  it('shows the example that is compiled and run in the guest', () => {
    const shown = /```ts\n([^]*?)```/.exec(text('README.md'))?.[1]
    const example = text('test/kernel/examples/move.ts').replace(/^\/\/ SPDX.*\n/, '')
    assert.equal(shown, example)
  })

  it('shows the example of a mock that is run here', async () => {
    const [, shown] = blocksOf(text('README.md'), 'ts')
    const example = text('test/unit/docs/examples/readme_mock.ts').replace(/^\/\/ SPDX.*\n/, '')
    assert.equal(shown, example)
    await import('./examples/readme_mock.js')
  })

  it('links to files that are there', () => {
    for (const [, path = ''] of text('README.md').matchAll(/\]\((docs\/[^)]+)\)/g)) assert.ok(text(path))
  })
})
