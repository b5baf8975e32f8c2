// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { chooseKeeping } from '#lib/cli/keeping.js'
import { capturedIo, contextFor, terminal } from './streams.js'

describe('chooseKeeping', () => {
  it('stays on a terminal when nothing is said', async () => {
    const io = capturedIo()
    terminal(io.stderr)
    assert.equal((await chooseKeeping({}, contextFor(io))).kind, 'stay')
  })

  it('names all three elsewhere', async () => {
    await assert.rejects(chooseKeeping({}, contextFor(capturedIo())), /--stay.*--exec.*--release/)
  })

  it('takes exactly one', async () => {
    const context = contextFor(capturedIo())
    assert.equal((await chooseKeeping({ release: true }, context)).kind, 'release')
    assert.equal((await chooseKeeping({ exec: 'sh' }, context)).kind, 'exec')
    await assert.rejects(chooseKeeping({ release: true, exec: 'sh' }, context), /exclude each other/)
  })

  it('looks for the program beforehand', async () => {
    const context = contextFor(capturedIo())
    await assert.rejects(chooseKeeping({ exec: 'no-such-program' }, context), /no program 'no-such-program'/)
    await assert.rejects(chooseKeeping({ exec: '/etc/passwd' }, context), /no program/)
  })
})
