// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { main } from './command.js'

const missing = 'ffff:ff:1f.7'

/** Runs the command with outputs that nobody reads any more. */
async function unread(
  words: readonly string[],
  gone: readonly ('stdout' | 'stderr')[],
): Promise<number | null> {
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const name of gone) child[name].destroy()
  if (!gone.includes('stdout')) child.stdout.resume()
  if (!gone.includes('stderr')) child.stderr.resume()
  const [exit] = (await once(child, 'exit')) as [number | null]
  return exit
}

describe('outputs whose reader has gone', () => {
  it('change nothing of what a failure exits with', async () => {
    for (const words of [
      ['show', missing],
      ['show', missing, '--json'],
    ]) {
      assert.equal(await unread(words, ['stderr']), 3, words.join(' '))
      assert.equal(await unread(words, ['stdout', 'stderr']), 3, words.join(' '))
    }
  })

  it('change nothing of what is done', async () => {
    assert.equal(await unread(['fsm'], ['stdout']), 0)
  })

  it('are a failure where they were to have JSON, which says so and undoes nothing', async () => {
    assert.equal(await unread(['fsm', '--json'], ['stdout']), 1)
    assert.equal(await unread(['move', 'mock:', 'mock:', '--release', '--json'], ['stdout']), 1)
  })

  it('are a failure where their file system is full', () => {
    for (const words of [['fsm'], ['fsm', '--json'], ['move', 'mock:', 'mock:', '--release', '--json']]) {
      const full = openSync('/dev/full', 'w')
      const all = [main, ...words]
      const { status, stderr } = spawnSync(process.execPath, all, { stdio: ['ignore', full, 'pipe'] })
      closeSync(full)
      assert.equal(status, 1, words.join(' '))
      assert.match(stderr.toString(), /^vfio-migrate: the answer could not be written to stdout: ENOSPC/m)
    }
  })
})
