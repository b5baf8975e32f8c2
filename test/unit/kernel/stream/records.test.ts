// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { streamParser } from '#lib/kernel/stream/by_driver.js'
import { bytes, parsed } from './bytes.ts'
import { descriptor, guc, image4, image5, optional3, record0, trailer } from './examples.ts'

const mlx5 = 'mlx5_vfio_pci'
const virtio = 'virtio_vfio_pci'
const xe = 'xe-vfio-pci'

/** What speaks against a stream of these records. */
const against = (driver: string, ...records: Buffer[]): string | undefined =>
  parsed(driver, ...records).incomplete()

/** Counts the bytes that somebody asks for. */
class Watched extends Uint8Array {
  seen = 0

  override subarray(begin = 0, end: number = this.length): Uint8Array<ArrayBuffer> {
    this.seen += Math.min(end, this.length) - begin
    return new Uint8Array(this.buffer, this.byteOffset, this.length).subarray(begin, end)
  }
}

describe('a parser of records', () => {
  it('counts records, and images among them, once they are whole', () => {
    const parser = streamParser(mlx5)
    const counts = [record0, image5, optional3, image4].map(record => {
      parser.push(record.subarray(0, -1))
      const before = [parser.records, parser.images, parser.lastImageBytes]
      parser.push(record.subarray(-1))
      return [before, [parser.records, parser.images, parser.lastImageBytes]]
    })
    // prettier-ignore
    assert.deepEqual(counts, [
      [[0, 0, 0], [1, 0, 0]],
      [[1, 0, 0], [2, 1, 5]],
      [[2, 1, 5], [3, 1, 5]],
      [[3, 1, 5], [4, 2, 4]],
    ])
  })

  it('tells how far the initial image reaches as soon as its header is there', () => {
    const parser = parsed(mlx5, record0, image5.subarray(0, 15))
    assert.equal(parser.initialEnd, undefined)
    parser.push(image5.subarray(15, 16))
    assert.equal(parser.initialEnd, 24 + 16 + 5)
  })

  it('tells where an image lies as soon as its header is there, until the header of the next one is', () => {
    const parser = parsed(mlx5, record0, image5.subarray(0, 15))
    assert.equal(parser.begunImage, undefined)
    parser.push(image5.subarray(15))
    assert.deepEqual(parser.begunImage, { from: 24, end: 24 + 16 + 5 })
    parser.push(optional3)
    assert.deepEqual(parser.begunImage, { from: 24, end: 24 + 16 + 5 })
    parser.push(image4.subarray(0, 16))
    const from = 24 + 16 + 5 + optional3.length
    assert.deepEqual(parser.begunImage, { from, end: from + 16 + 4 })
  })

  it('tells what record 0 of mlx5 announces, up to what the driver makes of it', () => {
    const announcing = (payload: string): Buffer => bytes('0800000000000000 01000000 01000000', payload)
    assert.equal(parsed(mlx5, announcing('0010000000000000')).announcedBytes, 4096)
    assert.equal(parsed(mlx5, announcing('00f0ffff00000000')).announcedBytes, 2 ** 32 - 4096)
    assert.equal(parsed(mlx5, announcing('ffffffffffffffff')).announcedBytes, 2 ** 32 - 1)
  })

  it('takes an announcement of another length, and of one that is too short none', () => {
    const long = bytes('0a00000000000000 00000000 01000000', '0020000000000000 ffff')
    assert.deepEqual(
      [parsed(mlx5, long, image4).announcedBytes, against(mlx5, long, image4)],
      [8192, undefined],
    )
    const short = bytes('0700000000000000 00000000 01000000', '00200000000000')
    assert.deepEqual(
      [parsed(mlx5, short, image4).announcedBytes, against(mlx5, short, image4)],
      [undefined, undefined],
    )
  })

  it('says where a record was cut', () => {
    assert.equal(against(mlx5, record0.subarray(0, 5)), 'the stream ends 5 bytes into the header of record 0, which has 16')
    assert.equal(against(mlx5, record0, image5.subarray(0, -3)), 'the stream ends 2 bytes into record 1, which has 5')
    assert.equal(against(xe, descriptor, guc.subarray(0, 23)), 'the stream ends 23 bytes into the header of packet 1, which has 24')
  }) // prettier-ignore

  it('says what a stream lacks that ends on a boundary', () => {
    assert.equal(against(mlx5, record0), 'the stream ends without an image')
    assert.equal(against(virtio, optional3), 'the stream ends without an image')
    assert.equal(against(xe, descriptor, guc), 'the stream ends without its trailer')
    assert.equal(against(xe, descriptor, trailer, guc), 'the stream ends without its trailer')
  })

  it('refuses what the driver refuses, whatever follows', () => {
    const unknown = bytes('0400000000000000 00000000 07000000', '00000000')
    const text = 'record 2 has tag 7, which the driver neither knows nor may skip'
    assert.equal(against(mlx5, record0, image5, unknown), text)
    assert.equal(against(mlx5, record0, image5, unknown, image4), text)
    assert.equal(parsed(mlx5, record0, image5, unknown, image4).records, 2)
    const size = bytes('0800000000000000 00000000 01000000', '0010000000000000')
    assert.equal(against(virtio, size), 'record 0 has tag 1, which the driver neither knows nor may skip')
  })

  it('refuses a record that no driver loads, and an image that no driver saves', () => {
    const large = bytes('0000000001000000 00000000 00000000')
    const none = bytes('0000000000000000 00000000 00000000')
    for (const driver of [mlx5, virtio]) {
      assert.equal(against(driver, image4, large), 'record 1 has 4294967296 bytes, and the driver loads 4294967295 at most')
      assert.equal(against(driver, image4, none), 'record 1 is an image of no bytes')
    }
  }) // prettier-ignore

  it('refuses packets of another version, of no type, and trailers that hold something', () => {
    const packet = (begin: string, offset: string, size: string): Buffer =>
      bytes(begin, '0000 00000000', offset, '00000000000000', size, '00000000000000')
    assert.equal(against(xe, packet('0205', '00', '00')), 'packet 0 has version 2, and the driver takes 1')
    assert.equal(against(xe, descriptor, packet('0100', '00', '00')), 'packet 1 has no type')
    for (const of of [packet('0102', '01', '00'), packet('0102', '00', '01')]) {
      assert.equal(against(xe, descriptor, of), 'packet 1 is a trailer that is not empty')
    }
  })

  it('looks at headers only, and passes over four gibibytes less one', () => {
    const parser = parsed(mlx5, record0, bytes('ffffffff00000000 00000000 00000000'))
    const piece = new Watched(2 ** 20)
    for (let k = 0; k < 4095; k++) parser.push(piece)
    parser.push(new Uint8Array(2 ** 20 - 1))
    assert.equal(piece.seen, 0)
    assert.deepEqual([parser.images, parser.lastImageBytes, parser.incomplete()], [1, 2 ** 32 - 1, undefined])
  })

  it('looks at 16 bytes a record', () => {
    const records = Buffer.concat([record0, ...Array.from({ length: 100 }, () => image5)])
    const stream = new Watched(records)
    const parser = streamParser(mlx5)
    parser.push(stream)
    assert.equal(stream.seen, 101 * 16 + 8)
  })
})
