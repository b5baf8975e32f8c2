// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrationOptions } from '#lib/cli/move_options.js'
import { participantOptions } from '#lib/cli/participant_options.js'
import { blocksOf, projectText, tableUnder } from './markdown.js'

const page = projectText('docs/move.md')
const main = new URL('../../../dist/cli/main.js', import.meta.url).pathname

describe('docs/move.md', () => {
  it('shows commands that do what they say', () => {
    const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-docs-'))
    try {
      for (const block of blocksOf(page, 'sh')) {
        const lines = block.replaceAll('/tmp/moved.json', join(directory, 'moved.json'))
        const script = `npx() { shift; "${process.execPath}" "${main}" "$@"; }\n${lines}`
        const { status, stderr } = spawnSync('/bin/sh', ['-e', '-c', script], { encoding: 'utf8' })
        assert.equal(status, 0, stderr)
      }
      const report = JSON.parse(readFileSync(join(directory, 'moved.json'), 'utf8')) as { outcome: unknown }
      assert.equal(report.outcome, 'destination')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('explains every option, and none that there is not', () => {
    const headings = [
      'How long it may stand, and how long it may take',
      'Whoever has the CPU side',
      'What is seen of it',
    ]
    const explained = headings.flatMap(heading => {
      const [, ...rows] = tableUnder(page, heading)
      return rows.map(([name = '']) => /--[a-z0-9-]+/.exec(name)?.[0])
    })
    const options = [...migrationOptions, ...participantOptions].map(({ long }) => long)
    assert.deepEqual(explained.sort(), [...options, '--timeout', '--json'].sort())
  })

  it('links to files that are there', () => {
    for (const [, path = ''] of page.matchAll(/\]\(([^)#]+)\)/g)) assert.ok(projectText(`docs/${path}`))
  })
})
