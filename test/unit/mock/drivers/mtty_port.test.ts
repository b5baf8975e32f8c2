// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { MttyPort } from '#lib/mock/drivers/mtty_port.js'

/** Registers of a 16550 by their offsets; 0 and 1 are the divisor while LCR has 0x80. */
const [data, ier, iirOrFcr, lcr, mcr, lsr, msr] = [0, 1, 2, 3, 4, 5, 6]

describe('a port of a mock of mtty', () => {
  it('takes 16 bytes, and then runs over', () => {
    const port = new MttyPort()
    for (let byte = 0; byte < 17; byte++) port.write(data, byte)
    assert.equal(port.bytes[26], 16, 'count')
    assert.equal(port.read(lsr), 0x62, 'overrun; full, which it takes for empty: head and tail are one')
    assert.equal(port.read(data), 0, 'so that nothing can be taken')
  })

  it('has a fifo of one byte while it is not enabled, and clears it when told', () => {
    const port = new MttyPort()
    port.write(iirOrFcr, 0)
    port.write(data, 7)
    port.write(data, 8)
    assert.deepEqual([port.read(lsr), port.bytes[26], port.bytes[33]], [0x03, 1, 1])
    port.write(iirOrFcr, 0x07)
    assert.deepEqual([port.bytes[26], port.bytes[33], port.bytes[34]], [0, 16, 1])
    assert.equal(port.bytes[32], 0x07, 'fcr')
  })

  it('has a divisor where data and interrupts are, while its latch is open', () => {
    const port = new MttyPort()
    port.write(ier, 0x05)
    port.write(lcr, 0x83)
    port.write(data, 0x0c)
    port.write(ier, 0x01)
    assert.deepEqual([port.read(data), port.read(ier)], [0x0c, 0x01])
    assert.equal(port.bytes.readUInt16LE(30), 0x010c)
    port.write(lcr, 0x03)
    assert.deepEqual([port.read(lcr), port.read(ier)], [0x03, 0x05])
  })

  it('says why it would interrupt', () => {
    const port = new MttyPort()
    assert.equal(port.read(iirOrFcr), 0xc1, 'for nothing')
    port.write(ier, 0x02)
    assert.equal(port.read(iirOrFcr), 0xc2, 'it is empty')
    port.write(iirOrFcr, 0x01)
    port.write(ier, 0x01)
    port.write(data, 1)
    assert.equal(port.read(iirOrFcr), 0xc4, 'there are data')
    for (let byte = 0; byte < 16; byte++) port.write(data, byte)
    port.write(ier, 0x04)
    assert.equal(port.read(iirOrFcr), 0xc6, 'it ran over')
  })

  it('says that it can be sent to, unless it is to look at its fifo and that is full', () => {
    const port = new MttyPort()
    assert.equal(port.read(msr), 0xb3)
    port.write(mcr, 0x20)
    assert.deepEqual([port.read(mcr), port.read(msr)], [0x20, 0xb3])
    for (let byte = 0; byte < 16; byte++) port.write(data, byte)
    assert.equal(port.read(msr), 0xa2)
  })

  it('takes what cannot be written, and does nothing', () => {
    const port = new MttyPort()
    const before = Buffer.from(port.bytes)
    for (const register of [lsr, msr, 8, 200]) port.write(register, 0xff)
    assert.deepEqual(port.bytes, before)
    assert.equal(port.read(200), 0)
  })
})
