// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = new URL('../../../', import.meta.url)

/** The exit status of a runner of ours, in a process of its own. */
function run(program: string): { status: number | null; stdout: string } {
  // What it counts is not for the results of this run.
  const env = { ...process.env, VFIO_MIGRATE_RESULTS: '', VFIO_MIGRATE_COUNTS: '' }
  const words = ['--input-type=module', '--eval', program]
  return spawnSync(process.execPath, words, { cwd: fileURLToPath(root), encoding: 'utf8', env })
}

const runners: readonly [name: string, program: (file: string) => string][] = [
  [
    'scripts/mocha.mjs',
    file => `import { runMocha } from './scripts/mocha.mjs'
process.exitCode = await runMocha('throw-away', ['--no-config', ${JSON.stringify(file)}])`,
  ],
  [
    'scripts/guest/mocha-run.mjs',
    file => `import { runTests } from './scripts/guest/mocha-run.mjs'
await runTests({ a: () => import(${JSON.stringify(pathToFileURL(file).href)}) })`,
  ],
]

describe('a rejection that nobody handles', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-rejections-'))
  after(() => rmSync(directory, { recursive: true }))

  /** A file with one test, whose body is this. */
  function fileWith(name: string, body: string): string {
    const file = join(directory, `${name}.test.mjs`)
    writeFileSync(file, `it('is run', async () => { ${body}; await new Promise(setImmediate) })\n`)
    return file
  }

  for (const [name, program] of runners) {
    it(`fails the test under ${name}`, () => {
      const { status, stdout } = run(program(fileWith('rejects', "void Promise.reject(new Error('unseen'))")))
      assert.match(stdout, /Uncaught Error: unseen/)
      assert.notEqual(status, 0)
    })

    it(`fails it under ${name} also with no reason`, () => {
      const { status, stdout } = run(program(fileWith('bare', 'void Promise.reject()')))
      assert.match(stdout, /a promise was rejected that nobody waits for/)
      assert.notEqual(status, 0)
    })

    it(`is none under ${name} where it is handled`, () => {
      const { status } = run(program(fileWith('handled', 'Promise.reject(1).catch(() => undefined)')))
      assert.equal(status, 0)
    })
  }
})
