// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { array, assert as assertProperty, nat, property, record, uint8Array } from 'fast-check'

const source = fileURLToPath(new URL('../../test/native/crc32/sums.cc', import.meta.url))

describe('Crc32 of the addon', () => {
  let directory: string
  let program: string

  before(function () {
    this.timeout(60_000)
    directory = mkdtempSync(join(tmpdir(), 'crc32-'))
    program = join(directory, 'sums')
    const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-fno-exceptions', '-fno-rtti']
    const cc = spawnSync('c++', [...flags, '-o', program, source], { encoding: 'utf8' })
    assert.equal(cc.status, 0, cc.stderr)
  })
  after(() => rmSync(directory, { recursive: true }))

  interface Request {
    readonly before: number
    readonly offset: number
    readonly bytes: Uint8Array
  }

  /** Of each request the sums by tables, by instructions, and as the addon chooses. */
  function sums(requests: readonly Request[]): number[][] {
    const input = requests.flatMap(({ before, offset, bytes }) => [
      new Uint8Array(Uint32Array.of(before, offset, bytes.length).buffer),
      bytes,
    ])
    const { stdout, status } = spawnSync(program, { input: Buffer.concat(input), encoding: 'utf8' })
    assert.equal(status, 0)
    return stdout
      .split('\n')
      .slice(0, -1)
      .map(line => line.split(' ').map(Number))
  }

  const expected = (requests: readonly Request[]): number[][] =>
    requests.map(({ before, bytes }) => Array<number>(3).fill(crc32(bytes, before)))

  it('is the one of zlib for every length up to some blocks, at every alignment', () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 131 + 17) & 0xff)
    const requests = Array.from({ length: 300 }, (_, length) => ({
      before: (length * 0x9e3779b1) >>> 0,
      offset: (length * 7) % 64,
      bytes: bytes.subarray(300 - length),
    }))
    assert.deepEqual(sums(requests), expected(requests))
  })

  it('is the one of zlib for any bytes after any others, however they lie', () => {
    const request = record({
      before: nat(0xffffffff),
      offset: nat(63),
      bytes: uint8Array({ maxLength: 5000, size: 'max' }),
    })
    assertProperty(
      property(array(request, { minLength: 1, maxLength: 20 }), requests =>
        assert.deepEqual(sums(requests), expected(requests)),
      ),
      { numRuns: 50 },
    )
  }).timeout(60_000)
})
