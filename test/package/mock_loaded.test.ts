// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const command = join(root, 'dist/cli/main.js')

/** The modules of the mock that a Node process has loaded, as V8's coverage tells. */
function loadedBy(args: readonly string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-loaded-'))
  try {
    const env = { ...process.env, NODE_V8_COVERAGE: directory }
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    const scripts = readdirSync(directory).flatMap(file => {
      const { result } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as {
        result: { url: string }[]
      }
      return result.map(({ url }) => url)
    })
    assert.ok(scripts.some(url => url.includes('/dist/index.js')))
    return scripts.filter(url => url.includes('/dist/mock/'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const evaluate = (code: string): string[] => ['--input-type=module', '-e', code]

describe('the mock', () => {
  it('is not loaded by the library', () => {
    assert.deepEqual(loadedBy(evaluate(`import 'vfio-migrate'`)), [])
  })

  it('is not loaded by a name of another device', () => {
    const code = `import { openDevice } from 'vfio-migrate'; await openDevice('ffff:ff:1f.7').catch(() => 0)`
    assert.deepEqual(loadedBy(evaluate(code)), [])
  })

  it('is not loaded by the command', () => {
    assert.deepEqual(loadedBy([command, 'list']), [])
    assert.deepEqual(loadedBy([command, 'fsm', '--from', 'STOP', '--to', 'STOP_COPY']), [])
  })

  it('is loaded when it is named', () => {
    const code = `import { openDevice } from 'vfio-migrate'; await (await openDevice('mock:')).close()`
    assert.notEqual(loadedBy(evaluate(code)).length, 0)
    assert.notEqual(loadedBy([command, 'show', 'mock:']).length, 0)
  })
})
