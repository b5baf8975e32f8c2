// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { knownDrivers } from '#lib/kernel/drivers.js'
import { streamParser } from '#lib/kernel/stream/by_driver.js'
import { parsed, told, wholeAt } from './bytes.ts'
import { examples } from './examples.ts'

describe('streamParser', () => {
  for (const { name, driver, stream, whole, initialEnd } of examples) {
    it(`takes for whole ${name}, and nowhere else`, () => {
      assert.deepEqual(wholeAt(driver, stream), whole)
      assert.equal(parsed(driver, stream).initialEnd, initialEnd)
    })

    it(`tells the same of ${name} in whatever pieces it comes`, () => {
      const atOnce = told(parsed(driver, stream))
      const lengths = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 200 })
      fc.assert(
        fc.property(lengths, sizes => {
          assert.deepEqual(told(inPieces(driver, stream, sizes)), atOnce)
        }),
        { numRuns: 50 },
      )
    })
  }

  it('takes no empty stream for whole, whoever the driver is', () => {
    for (const driver of [...knownDrivers.map(row => row.driver), 'nvgrace_gpu_vfio_pci', undefined]) {
      assert.equal(streamParser(driver).incomplete(), 'the stream is empty', driver)
    }
  })

  it('has nothing but emptiness against the stream of a stranger', () => {
    for (const driver of ['nvgrace_gpu_vfio_pci', 'constructor', undefined]) {
      const parser = streamParser(driver)
      parser.push(Buffer.of(0))
      assert.equal(parser.incomplete(), undefined)
      assert.deepEqual([parser.bytes, parser.records], [1, 0])
    }
  })

  it('has an example of every driver that migrates', () => {
    const migrating = knownDrivers.filter(row => row.since !== undefined).map(row => row.driver)
    assert.deepEqual(new Set(examples.map(({ driver }) => driver)), new Set(migrating))
  })
})

/** Every piece in the same memory, as a reader has it that recycles; what is left over comes as one. */
function inPieces(driver: string, stream: Buffer, sizes: readonly number[]): ReturnType<typeof streamParser> {
  const parser = streamParser(driver)
  const memory = Buffer.alloc(stream.length)
  let at = 0
  for (const size of [...sizes, stream.length]) {
    const piece = memory.subarray(0, stream.copy(memory, 0, at, at + size))
    parser.push(piece)
    at += piece.length
  }
  return parser
}
