// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const sources = ['test/native/lane/batches.cc', 'native/core/lane.cc'].map(path =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url)),
)

/** Whoever is put aside for a millisecond is no quick job: it may take several runs to see one without. */
const tries = 50

describe('a lane', () => {
  let directory: string
  let program: string

  before(function () {
    this.timeout(60_000)
    directory = mkdtempSync(join(tmpdir(), 'lane-'))
    program = join(directory, 'batches')
    const flags = ['-std=c++17', '-O1', '-Wall', '-Wextra', '-Werror', '-fno-exceptions', '-fno-rtti']
    const cc = spawnSync('c++', [...flags, '-o', program, ...sources, '-pthread'], { encoding: 'utf8' })
    assert.equal(cc.status, 0, cc.stderr)
  })
  after(() => rmSync(directory, { recursive: true }))

  /** A letter for each job: A is delivered ahead of the next one, D wakes whoever waits. */
  function deliveries(...words: string[]): string {
    const { stdout, status } = spawnSync(program, words, { encoding: 'utf8' })
    assert.equal(status, 0)
    return stdout.trim()
  }

  function assertOnce(expected: string, ...words: string[]): void {
    const seen = new Set<string>()
    for (let i = 0; i < tries && !seen.has(expected); i++) seen.add(deliveries(...words))
    assert.ok(seen.has(expected), `${[...seen].join(', ')}, and never ${expected}`)
  }

  it('wakes once for four quick jobs of a stream, not for its first, and keeps one in hand meanwhile', () => {
    assertOnce('DAAADD', '6')
    assertOnce('DAAADAAADAAADD', '14')
  })

  it('counts what was posted while a job ran', () => assertOnce('DAADD', '5', 'growing'))

  it('holds up no job that took its time, and none of another kind', () => {
    assert.equal(deliveries('6', 'slow'), 'DDDDDD')
    assert.equal(deliveries('6', 'single'), 'DDDDDD')
  })
})
