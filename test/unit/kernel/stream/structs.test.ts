// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { streamParser } from '#lib/kernel/stream/by_driver.js'
import { bytes, parsed } from './bytes.ts'
import { matchData, mttyHead, mttyPort, qatSetup } from './examples.ts'

const hisi = 'hisi_acc_vfio_pci'
const qat = 'qat_vfio_pci'

const against = (driver: string, ...parts: Buffer[]): string | undefined =>
  parsed(driver, ...parts).incomplete()

/** The same bytes, but for some at an offset. */
function changed(original: Buffer, at: number, ...hex: string[]): Buffer {
  const copy = Buffer.from(original)
  bytes(...hex).copy(copy, at)
  return copy
}

describe('a parser of a struct', () => {
  it('says how long a whole state is', () => {
    assert.equal(against('mtty', mttyHead(1), mttyPort.subarray(1)), 'the stream has 59 bytes, and such a state has 60')
    assert.equal(against('mtty', mttyHead(2), mttyPort), 'the stream has 60 bytes, and such a state has 96')
    assert.equal(against('mtty', mttyHead(1), mttyPort, mttyPort), 'the stream has 96 bytes, and such a state has 60')
    assert.equal(against(hisi, matchData, Buffer.of(0)), 'the stream has 41 bytes, and such a state has 40 or 176')
    assert.equal(against(qat, qatSetup), 'the stream has 44 bytes, and such a state has 4096')
  }) // prettier-ignore

  it('says where a head was cut', () => {
    assert.equal(against('mtty', mttyHead(1).subarray(0, 7)), 'the stream ends 7 bytes into its head, which has 24')
    assert.equal(against(hisi, matchData.subarray(0, 39)), 'the stream ends 39 bytes into its head, which has 40')
    assert.equal(against(qat, qatSetup.subarray(0, 15)), 'the stream ends 15 bytes into its head, which has 16')
  }) // prettier-ignore

  it('tells how far the initial bytes reach once the head is there', () => {
    const parser = streamParser(qat)
    parser.push(qatSetup.subarray(0, 15))
    assert.equal(parser.initialEnd, undefined)
    parser.push(qatSetup.subarray(15, 16))
    assert.equal(parser.initialEnd, 44)
  })

  it('refuses what mtty refuses', () => {
    const head = mttyHead(1)
    const rows: [number, string, string][] = [
      [0, '4f', 'the stream begins with another magic number than mtty’s'],
      [8, '02', 'the stream has version 2.0, and the driver takes 1.0'],
      [12, '01', 'the stream has version 1.1, and the driver takes 1.0'],
      [16, '03', 'the stream has 3 ports, and mtty has one or two'],
      [16, '00', 'the stream has 0 ports, and mtty has one or two'],
      [20, '01', 'the stream has flags 1, and the driver takes none'],
    ]
    for (const [at, hex, text] of rows) assert.equal(against('mtty', changed(head, at, hex), mttyPort), text)
  })

  it('refuses what hisi_acc refuses, and takes the older format, which has no version', () => {
    assert.equal(
      against(hisi, changed(matchData, 0, '00')),
      'the stream begins with another magic number than the driver’s',
    )
    const other = changed(matchData, 28, '0200')
    assert.equal(against(hisi, other), 'the stream has version 2, and the driver takes 1')
    assert.equal(against(hisi, changed(other, 0, 'ccaaedfecdcdcdcd')), undefined)
  })

  it('refuses what qat refuses', () => {
    const block = Buffer.concat([qatSetup, Buffer.alloc(4096 - 44)])
    const rows: [number, string, string | undefined][] = [
      [0, '00', 'the stream begins with another magic number than the driver’s'],
      [4, '02', 'the stream has version 2, and the driver takes 1 at most'],
      [4, '00', undefined],
      [12, 'f10f0000', 'the stream has a setup of 4097 bytes, and the whole state has 4096'],
      [12, 'f00f0000', undefined],
    ]
    for (const [at, hex, text] of rows) assert.equal(against(qat, changed(block, at, hex)), text)
  })
})
