// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSink } from '#lib/cli/state_sink.js'
import { capturedIo, contextFor, terminal } from './streams.js'

describe('openSink', () => {
  const context = contextFor(capturedIo())
  let directory = ''
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-sink-'))))
  afterEach(() => rmSync(directory, { recursive: true }))

  it('gives a file its name when it is whole, not before, and to its owner only', async () => {
    const path = join(directory, 'state')
    const sink = await openSink(path, context)
    await sink.write(Buffer.from('one '))
    await sink.write(Buffer.from('two'))
    assert.deepEqual(readdirSync(directory), [`.state.${process.pid}.partial`])
    await sink.commit()
    await sink.discard()
    assert.deepEqual(readdirSync(directory), ['state'])
    assert.equal(readFileSync(path, 'utf8'), 'one two')
    assert.equal(statSync(path).mode & 0o777, 0o600)
  })

  it('leaves the older file alone when it is discarded', async () => {
    const path = join(directory, 'state')
    writeFileSync(path, 'older')
    const sink = await openSink(path, context)
    await sink.write(Buffer.from('newer'))
    await sink.discard()
    assert.deepEqual(readdirSync(directory), ['state'])
    assert.equal(readFileSync(path, 'utf8'), 'older')
  })

  it('writes through a link', async () => {
    writeFileSync(join(directory, 'target'), 'older')
    symlinkSync(join(directory, 'target'), join(directory, 'link'))
    const sink = await openSink(join(directory, 'link'), context)
    await sink.write(Buffer.from('newer'))
    await sink.commit()
    await sink.discard()
    assert.equal(readFileSync(join(directory, 'target'), 'utf8'), 'newer')
    assert.deepEqual(readdirSync(directory), ['link', 'target'])
  })

  it('writes to stdout, unless that is a terminal', async () => {
    const io = capturedIo()
    const sink = await openSink('-', contextFor(io))
    await sink.write(Buffer.from('bytes'))
    await sink.commit()
    assert.equal(io.stdout.text, 'bytes')
    terminal(io.stdout)
    await assert.rejects(openSink('-', contextFor(io)), /state is no text/)
  })
})
