// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { vfioMigrate } from './command.js'

/** Timers that keep no process alive, so that nothing does while a call is held. */
const unref = `const set = globalThis.setTimeout; globalThis.setTimeout = (...args) => set(...args).unref()`

describe('a command that nothing is left to wait for', () => {
  it('has failed, and says which device it had in hand', async () => {
    const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(unref)}` }
    const words = ['move', 'mock:', 'mock:fault=SUSPEND_INITIATOR:1:hold', '--release']
    const { exit, stdout, stderr } = await vfioMigrate(words, { env })
    assert.deepEqual([exit, stdout], [4, ''])
    assert.match(stderr, /^vfio-migrate: nothing is left to wait for, and no answer came: 'mock-/m)
  })
})
