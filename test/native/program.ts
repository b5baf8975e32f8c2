// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-fno-exceptions', '-fno-rtti', '-pthread']
const root = new URL('../../', import.meta.url)

/**
 * A program that drives a part of the addon's core, of these files: compiled before the tests of the suite that is being
 * described, and removed after them. Answers what a run of it has written.
 */
export function programOf(...sources: string[]): (words?: string[], input?: Uint8Array) => string {
  let directory: string | undefined
  let program = ''

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-native-'))
    program = join(directory, 'program')
    const files = sources.map(path => fileURLToPath(new URL(path, root)))
    const cc = spawnSync('c++', [...flags, '-o', program, ...files], { encoding: 'utf8' })
    assert.equal(cc.status, 0, cc.stderr)
  })
  after(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true })
  })

  return (words = [], input) => {
    const { stdout, stderr, status, signal } = spawnSync(program, words, { input, encoding: 'utf8' })
    assert.equal(signal ?? status, 0, `${sources[0]} ended by ${signal ?? status}: ${stderr}`)
    return stdout
  }
}
