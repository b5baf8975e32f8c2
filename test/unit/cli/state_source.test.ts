// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, createWriteStream, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { openSource, type StateSource } from '#lib/cli/state_source.js'
import { capturedIo, contextFor, terminal } from './streams.js'

/** Of a source that gives its rest chunk by chunk. */
async function all({ first, rest }: StateSource): Promise<string> {
  assert.notEqual(typeof rest, 'number')
  let text = first.toString()
  for await (const chunk of rest as AsyncIterable<Buffer>) text += chunk.toString()
  return text
}

describe('openSource', () => {
  it('waits for the first bytes, and gives them out with the rest', async () => {
    const stdin = new PassThrough()
    const opening = openSource('-', contextFor(capturedIo({ stdin })))
    stdin.write('one ')
    const source = await opening
    stdin.end('two')
    assert.equal(await all(source), 'one two')
  })

  it('names the input that cannot be read', async () => {
    const open = (path: string): Promise<unknown> => openSource(path, contextFor(capturedIo()))
    await assert.rejects(open('/nope'), { code: 'ENOENT', message: /^'\/nope' cannot be read/ })
    await assert.rejects(open(tmpdir()), { code: 'ERR_VFIO_USAGE', message: /is a directory/ })
  })

  for (const from of ['by its name', 'by the fd of stdin']) {
    it(`takes the first bytes of a file ${from}, and leaves the others to its fd`, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-source-'))
      const path = join(directory, 'state')
      const state = Buffer.alloc(3 << 20, 'state')
      writeFileSync(path, state)
      const stdinFd = openSync(path, 'r')
      const name = from === 'by its name' ? path : '-'
      const source = await openSource(name, contextFor(capturedIo({ stdinFd })))
      const left = Buffer.alloc(state.length)
      const count = readSync(source.rest as number, left)
      assert.ok(Buffer.concat([source.first, left.subarray(0, count)]).equals(state))
      source.close()
      closeSync(stdinFd)
      rmSync(directory, { recursive: true })
    })
  }

  it('refuses a stream that ends without a byte', async () => {
    const stdin = Readable.from([Buffer.alloc(0)])
    await assert.rejects(openSource('-', contextFor(capturedIo({ stdin }))), /stdin is empty/)
  })

  it('takes the first bytes of a named pipe, whenever its writer comes, and leaves the others there', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-source-'))
    const path = join(directory, 'pipe')
    execFileSync('mkfifo', [path])
    const opening = openSource(path, contextFor(capturedIo()))
    const writer = createWriteStream(path)
    writer.write('one ')
    const source = await opening
    assert.equal(source.first.toString(), 'one ')
    writer.write('two')
    writer.end(' three')
    await once(writer, 'close')
    const left = Buffer.alloc(100)
    const count = readSync(source.rest as number, left)
    assert.equal(left.toString('utf8', 0, count), 'two three')
    source.close()
    rmSync(directory, { recursive: true })
  })

  it('refuses a terminal', async () => {
    const stdin = terminal(new PassThrough())
    await assert.rejects(openSource('-', contextFor(capturedIo({ stdin }))), /nobody types/)
  })
})
