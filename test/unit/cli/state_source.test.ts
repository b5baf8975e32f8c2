// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { openSource } from '#lib/cli/state_source.js'
import { capturedIo, contextFor, terminal } from './streams.js'

async function all(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk.toString()
  return text
}

describe('openSource', () => {
  it('waits for the first bytes, and gives them out with the rest', async () => {
    const stdin = new PassThrough()
    const opening = openSource('-', contextFor(capturedIo({ stdin })))
    stdin.write('one ')
    const source = await opening
    stdin.end('two')
    assert.equal(await all(source.chunks()), 'one two')
  })

  it('names the input that cannot be read', async () => {
    const open = (path: string): Promise<unknown> => openSource(path, contextFor(capturedIo()))
    await assert.rejects(open('/nope'), { code: 'ENOENT', message: /^'\/nope' cannot be read/ })
    await assert.rejects(open(tmpdir()), { code: 'ERR_VFIO_USAGE', message: /is a directory/ })
  })

  it('refuses a stream that ends without a byte', async () => {
    const stdin = Readable.from([Buffer.alloc(0)])
    await assert.rejects(openSource('-', contextFor(capturedIo({ stdin }))), /stdin is empty/)
  })

  it('reads a named pipe to its end, whenever its writer comes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-source-'))
    const path = join(directory, 'pipe')
    execFileSync('mkfifo', [path])
    const opening = openSource(path, contextFor(capturedIo()))
    const writer = createWriteStream(path)
    writer.write('one ')
    const source = await opening
    writer.end('two')
    assert.equal(await all(source.chunks()), 'one two')
    source.close()
    rmSync(directory, { recursive: true })
  })

  it('refuses a terminal', async () => {
    const stdin = terminal(new PassThrough())
    await assert.rejects(openSource('-', contextFor(capturedIo({ stdin }))), /nobody types/)
  })
})
