// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failureOf, main, vfioMigrate } from './command.js'

// It is found to be no device after the files were looked at: an error about a file shows that it was not touched.
const device = 'fd:987'

describe('save and load look at their files before they touch a device', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-ends-'))
  const at = (name: string): string => join(directory, name)
  after(() => rmSync(directory, { recursive: true }))

  it('refuses a file in a directory that there is not', async () => {
    const { code, message, stderr } = await failureOf(['save', device, '--raw', '-o', at('no/state')], 1)
    assert.equal(code, 'ENOENT')
    assert.match(message, /no\/state' cannot be written/)
    assert.doesNotMatch(stderr, /partial/)
  })

  it('refuses a directory that it may not write to', async function () {
    if (process.getuid?.() === 0) this.skip() // root may write everywhere
    mkdirSync(at('closed'))
    chmodSync(at('closed'), 0o500)
    assert.equal((await failureOf(['save', device, '--raw', '-o', at('closed/state')], 1)).code, 'EACCES')
  })

  it('refuses to replace what is no file', async () => {
    const { message } = await failureOf(['save', device, '--raw', '-o', '/dev/null'], 2)
    assert.match(message, /'\/dev\/null' is no file/)
    assert.match((await failureOf(['save', device, '--raw', '-o', directory], 2)).message, /no file/)
  })

  it('refuses to put the state and the JSON into one stream', async () => {
    const { exit, stderr } = await vfioMigrate(['save', device, '--raw', '-o', '-', '--json'])
    assert.equal(exit, 2)
    assert.match(stderr, /state or the JSON/)
  })

  it('leaves neither a file nor a part of one when the device fails', async () => {
    await failureOf(['save', device, '--raw', '-o', at('state')], 3)
    assert.ok(!readdirSync(directory).some(name => name.includes('state')))
  })

  it('keeps an older file when the device fails', async () => {
    writeFileSync(at('older'), 'whole')
    await failureOf(['save', device, '--raw', '-o', at('older')], 3)
    assert.deepEqual(
      readdirSync(directory).filter(name => name.includes('older')),
      ['older'],
    )
  })

  it('names the file that it cannot read', async () => {
    // Its first page is nobody's memory.
    const { code, message } = await failureOf(
      ['load', device, '--raw', '-i', '/proc/self/mem', '--release'],
      1,
    )
    assert.equal(code, 'EIO')
    assert.match(message, /'\/proc\/self\/mem' cannot be read/)
  })

  it('refuses to load an empty file', async () => {
    writeFileSync(at('empty'), '')
    const { message } = await failureOf(['load', device, '--raw', '-i', at('empty'), '--release'], 2)
    assert.match(message, /is empty/)
  })

  it('refuses to load from an empty stdin', async () => {
    const { message } = await failureOf(['load', device, '--raw', '-i', '-', '--release'], 2)
    assert.match(message, /stdin is empty/)
  })

  it('refuses to load a file that there is not', async () => {
    assert.equal(
      (await failureOf(['load', device, '--raw', '-i', at('none'), '--release'], 1)).code,
      'ENOENT',
    )
  })

  it('goes on to the device when stdin has something', async () => {
    const { exit, stderr } = await vfioMigrate(['load', device, '--raw', '-i', '-', '--release'], {
      input: 'x',
    })
    assert.equal(exit, 3)
    assert.match(stderr, /fd 987 is no VFIO device/)
  })

  it('takes fractions of a second, as far as a timer goes', async () => {
    for (const timeout of ['1.005', '2147483']) {
      const words = ['load', device, '--raw', '-i', '-', '--release', '--timeout', timeout]
      const { exit, stderr } = await vfioMigrate(words, { input: 'x' })
      assert.equal(exit, 3, stderr)
    }
  })

  it('gives up in time when stdin has nothing, and stays open', async () => {
    const words = ['load', device, '--raw', '-i', '-', '--release', '--timeout', '0.1']
    const child = spawn(process.execPath, [main, ...words], { stdio: ['pipe', 'ignore', 'ignore'] })
    const killed = setTimeout(() => child.kill('SIGKILL'), 10_000)
    const [exit] = (await once(child, 'exit')) as [number | null]
    clearTimeout(killed)
    assert.equal(exit, 124)
  })

  it('gives up in time when nobody opens the other end of a named pipe', async () => {
    execFileSync('mkfifo', [at('pipe')])
    const words = ['load', device, '--raw', '-i', at('pipe'), '--release', '--timeout', '0.1']
    const child = spawn(process.execPath, [main, ...words], { stdio: 'ignore' })
    const killed = setTimeout(() => child.kill('SIGKILL'), 10_000)
    const [exit] = (await once(child, 'exit')) as [number | null]
    clearTimeout(killed)
    assert.equal(exit, 124)
  })
})
