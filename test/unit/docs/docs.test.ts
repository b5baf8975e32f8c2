// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { vfioErrorCodes } from '#lib/errors.js'

const text = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

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

  it('links to files that are there', () => {
    for (const [, path = ''] of text('README.md').matchAll(/\]\((docs\/[^)]+)\)/g)) assert.ok(text(path))
  })
})
