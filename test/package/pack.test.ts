// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('the packed package', () => {
  let dir: string
  let files: string[]
  let packed: string

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vfio-migrate-pack-'))
    const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [tarball] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }]
    files = tarball.files.map(({ path }) => path)
    execFileSync('tar', ['-xzf', join(dir, tarball.filename), '-C', dir])
    packed = join(dir, 'package')
    // What npm would have installed beside it.
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  })
  after(() => rmSync(dir, { recursive: true }))

  const run = (code: string, type: 'commonjs' | 'module'): string =>
    execFileSync(process.execPath, [`--input-type=${type}`, '-e', code], { cwd: dir, encoding: 'utf8' })

  it('holds what a user needs and nothing else', () => {
    const wanted =
      /^(dist\/.*\.(js|d\.ts)|docs\/.*\.(md|svg)|native\/.*|binding\.gyp|CMakeLists\.txt|package\.json|README\.md|LICENSE)$/
    assert.deepEqual(
      files.filter(path => !wanted.test(path)),
      [],
    )
    for (const path of [
      ...['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js', 'native/sources.txt'],
      ...['dist/mock/index.js', 'dist/mock/index.d.ts', 'docs/mock.md'],
    ]) {
      assert.ok(files.includes(path), path)
    }
  })

  it('holds no code under the GPL', () => {
    const gpl = files.filter(path =>
      readFileSync(join(packed, path), 'utf8').includes('SPDX-License-Identifier: GPL'),
    )
    assert.deepEqual(gpl, [])
  })

  it('runs no script when it is installed', () => {
    const { scripts, gypfile } = JSON.parse(readFileSync(join(packed, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
      gypfile: boolean
    }
    assert.equal(gypfile, false)
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
      assert.equal(scripts[script], undefined)
  })

  it('can be imported and required, without an addon', () => {
    const print = `console.log(m.pathTo('RUNNING', 'STOP_COPY', { p2p: true, preCopy: true }).join(' '))`
    const index = JSON.stringify(join(packed, 'dist/index.js'))
    assert.equal(run(`import * as m from ${index}; ${print}`, 'module'), 'RUNNING_P2P STOP STOP_COPY\n')
    assert.equal(run(`const m = require(${index}); ${print}`, 'commonjs'), 'RUNNING_P2P STOP STOP_COPY\n')
  })

  it('has a mock that works without an addon', () => {
    const code = `
      import { migrate, openDevice } from 'vfio-migrate'
      import { MockDevice } from 'vfio-migrate/mock'
      const [a, b] = [new MockDevice({ size: 4096 }), new MockDevice({ size: 4096 })]
      const [from, to] = [await openDevice(a), await openDevice(b)]
      const report = await migrate({ from, to })
      console.log(report.mock, a.digest() === b.digest())`
    const inside = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      cwd: packed,
      encoding: 'utf8',
    })
    assert.equal(inside, 'true true\n')
    const required = `console.log(typeof require('vfio-migrate/mock').MockDevice)`
    assert.equal(
      execFileSync(process.execPath, ['-e', required], { cwd: packed, encoding: 'utf8' }),
      'function\n',
    )
  })

  it('says how to have an addon when there is none', () => {
    const index = JSON.stringify(join(packed, 'dist/backend/native.js'))
    const code = `import { loadAddon } from ${index}; try { loadAddon() } catch (e) { console.log(e.code, e.message) }`
    assert.match(run(code, 'module'), /^ERR_VFIO_ADDON .*No native build.*npx node-gyp@12/)
  })
})
