// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-fno-exceptions', '-fno-rtti', '-pthread']
const root = new URL('../../', import.meta.url)

/**
 * A program that drives a part of the addon's core, of these files: compiled before the tests of the suite that is being
 * described, and removed after them. Answers what a run of it has written.
 */
export function programOf(...sources: string[]): (words?: string[], input?: Uint8Array) => string {
  let program = ''

  before(function () {
    this.timeout(60_000)
    program = join(mkdtempSync(join(tmpdir(), 'vfio-migrate-native-')), 'program')
    const files = sources.map(path => fileURLToPath(new URL(path, root)))
    const cc = spawnSync('c++', [...flags, '-o', program, ...files], { encoding: 'utf8' })
    assert.equal(cc.status, 0, cc.stderr)
  })
  after(() => rmSync(join(program, '..'), { recursive: true }))

  return (words = [], input) => {
    const { stdout, status, signal } = spawnSync(program, words, { input, encoding: 'utf8' })
    assert.equal(signal ?? status, 0, basename(sources[0] ?? ''))
    return stdout
  }
}
