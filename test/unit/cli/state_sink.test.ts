// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VfioSystemError } from '#lib/errors.js'
import { openSink } from '#lib/cli/state_sink.js'
import { Captured, capturedIo, contextFor, terminal } from './streams.js'

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

  it('waits no longer for a reader that has stopped, when it is discarded', async () => {
    const stdout = new Captured()
    stdout._write = () => undefined
    const sink = await openSink('-', contextFor({ ...capturedIo(), stdout }))
    void sink.write(Buffer.from('bytes'))
    await sink.discard()
    assert.ok(stdout.destroyed)
  })

  it('leaves a stdout that took everything open: something may be said there yet', async () => {
    const io = capturedIo()
    const sink = await openSink('-', contextFor(io))
    await sink.write(Buffer.from('bytes'))
    await sink.discard()
    assert.ok(!io.stdout.destroyed)
  })

  it('names the file that was given, not the one beside it, where it cannot be written', async () => {
    const path = join(directory, 'no/state')
    await assert.rejects(openSink(path, context), (error: NodeJS.ErrnoException) => {
      assert.deepEqual([error.code, error.errno], ['ENOENT', -2])
      assert.equal(error.message, `'${path}' cannot be written: no such file or directory (ENOENT)`)
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'ENOENT')
      return true
    })
  })

  it('has an fd for who writes all of it past JavaScript, and names the file where that fails', async () => {
    const path = join(directory, 'state')
    const sink = await openSink(path, context)
    writeSync(sink.fd as number, 'bytes')
    const full = new VfioSystemError(-28, { syscall: 'write' })
    await assert.rejects(sink.naming(Promise.reject(full)), {
      code: 'ENOSPC',
      errno: -28,
      message: `'${path}' cannot be written: no space left on device (ENOSPC)`,
    })
    const ofDevice = new VfioSystemError(-5, { syscall: 'read' }, { device: 'dev' })
    await assert.rejects(sink.naming(Promise.reject(ofDevice)), ofDevice)
    await sink.commit()
    await sink.discard()
    assert.equal(readFileSync(path, 'utf8'), 'bytes')
  })

  it('has that of stdout, where stdout is one', async () => {
    const io = capturedIo()
    assert.equal((await openSink('-', contextFor(io))).fd, undefined)
    const sink = await openSink('-', contextFor({ ...io, stdout: Object.assign(new Captured(), { fd: 7 }) }))
    assert.equal(sink.fd, 7)
  })

  it('names it, too, when the directory goes while the state is written', async () => {
    const inner = join(directory, 'inner')
    mkdirSync(inner)
    const sink = await openSink(join(inner, 'state'), context)
    await sink.write(Buffer.from('bytes'))
    rmSync(inner, { recursive: true })
    await assert.rejects(sink.commit(), /inner\/state' cannot be written: no such file or directory/)
    await sink.discard()
  })
})
