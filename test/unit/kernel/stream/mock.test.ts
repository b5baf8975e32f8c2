// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { streamParser } from '#lib/kernel/stream/by_driver.js'
import { flavourNames, flavours, type FlavourName, type MockOptions } from '#lib/mock/index.js'
import { imagesOf, recordsOf } from '../../../kernel/mlx5_stream.js'
import { hold } from '../../mock/hand.js'
import { parsed, wholeAt } from './bytes.ts'

/** Of the given flavour, with a little state where that is ours to choose. */
const optionsOf = (flavour: FlavourName): MockOptions => ({
  flavour,
  size: flavours[flavour].streamBytes === undefined ? '5KiB' : undefined,
})

async function withoutPrecopy(options: MockOptions): Promise<Buffer> {
  const hand = hold(options)
  await hand.set('STOP_COPY')
  return await hand.drain()
}

/** Two rounds while it is written to, and the end. `initialBytes` is what the device said before the first byte was read. */
async function withPrecopy(options: MockOptions): Promise<{ stream: Buffer; initialBytes: number }> {
  const hand = hold(options)
  await hand.set('PRE_COPY')
  const info = await hand.info()
  assert.ok(typeof info !== 'string')
  const pieces = [await hand.drain()]
  hand.mock.step(2)
  await hand.clock.sleep(2000)
  await hand.info()
  pieces.push(await hand.drain())
  hand.mock.step(2)
  await hand.set('STOP_COPY')
  pieces.push(await hand.drain())
  return { stream: Buffer.concat(pieces), initialBytes: info[0] }
}

const inChunks: MockOptions = { size: '64KiB', chunkSize: '9KiB' }
const isPrecopied = (name: FlavourName): boolean => flavours[name].preCopySince !== undefined

describe('a parser of what a mock gives out', () => {
  for (const name of flavourNames) {
    const { driver } = flavours[name]

    it(`${name}: has nothing against the whole stream`, async () => {
      const stream = await withoutPrecopy(optionsOf(name))
      assert.equal(parsed(driver, stream).incomplete(), undefined)
      const ends = wholeAt(driver, stream)
      // Match data alone are whole, and of pds nobody can tell.
      if (name === 'hisi_acc') assert.deepEqual(ends, [40, 176])
      else if (name !== 'pds') assert.deepEqual(ends, [stream.length])
    })

    if (!isPrecopied(name)) continue
    it(`${name}: finds the initial bytes where the driver counts them, and the end of a stream with pre-copy`, async () => {
      const { stream, initialBytes } = await withPrecopy(optionsOf(name))
      const parser = parsed(driver, stream)
      assert.equal(parser.incomplete(), undefined)
      assert.equal(parser.initialEnd, initialBytes)
      parser.push(Buffer.of(0))
      assert.notEqual(parser.incomplete(), undefined)
    })
  }

  for (const [how, stream] of [
    ['with pre-copy', async () => (await withPrecopy({ size: '5KiB' })).stream],
    ['in chunks', () => withoutPrecopy(inChunks)],
    ['in chunks, with pre-copy', async () => (await withPrecopy(inChunks)).stream],
  ] as const) {
    it(`mlx5 ${how}: ends where a record does that has an image before it, and counts as others do`, async () => {
      const given = await stream()
      const records = recordsOf(given)
      const ends = records.map((_, index) =>
        records.slice(0, index + 1).reduce((sum, { payload }) => sum + 16 + payload.length, 0),
      )
      assert.ok(records.length > 3)
      assert.deepEqual(wholeAt('mlx5_vfio_pci', given), ends.slice(1))
      const parser = parsed('mlx5_vfio_pci', given)
      const images = imagesOf(given)
      assert.deepEqual(
        [parser.records, parser.images, parser.lastImageBytes],
        [records.length, images.length, images.at(-1)?.length],
      )
      assert.equal(BigInt(parser.announcedBytes ?? 0), records[0]?.payload.readBigUInt64LE())
    })
  }

  it('virtio with pre-copy: gives a whole image each time', async () => {
    const { stream } = await withPrecopy(optionsOf('virtio'))
    const parser = parsed('virtio_vfio_pci', stream)
    assert.deepEqual([parser.records, parser.images, parser.initialEnd], [3, 3, stream.length / 3])
  })

  it('notices a stream that was cut, wherever nothing else does', async () => {
    for (const name of ['mlx5', 'virtio', 'xe'] satisfies FlavourName[]) {
      const hand = hold({ ...optionsOf(name), faults: [{ on: 'STREAM', cut: 1000 }] })
      await hand.set('STOP_COPY')
      const parser = streamParser(flavours[name].driver)
      parser.push(await hand.drain())
      assert.equal(parser.bytes, 1000)
      assert.match(
        parser.incomplete() ?? '',
        /^the stream ends \d+ bytes into (record|packet) \d, which has \d+$/,
      )
    }
  })
})
