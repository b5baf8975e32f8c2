// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { inProcessLink } from '#lib/link/in_process.js'

/** Whether a promise has settled when everything that can happen now has happened. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  promise.then(
    () => (settled = true),
    () => (settled = true),
  )
  await turn()
  return settled
}

describe('inProcessLink', () => {
  it('gives messages in their order, each once, in both directions', async () => {
    const [source, destination] = inProcessLink<number, string>()
    for (const message of [1, 2, 3]) await source.send(message)
    await destination.send('a')
    assert.deepEqual([await destination.receive(), await destination.receive()], [1, 2])
    assert.equal(await source.receive(), 'a')
    assert.equal(await destination.receive(), 3)
    assert.equal(await isSettled(destination.receive()), false)
  })

  it('gives a message to the receive() that has waited longest', async () => {
    const [source, destination] = inProcessLink<number, string>()
    const waiting = [destination.receive(), destination.receive()]
    await source.send(1)
    await source.send(2)
    assert.deepEqual(await Promise.all(waiting), [1, 2])
  })

  it('hands over the memory of a message without a copy', async () => {
    const [source, destination] = inProcessLink<Uint8Array, string>()
    const bytes = new Uint8Array(8)
    await source.send(bytes)
    assert.equal(await destination.receive(), bytes)
  })

  for (const capacity of [1, 2, 64]) {
    it(`lets a sender wait while ${capacity} messages are untaken`, async () => {
      const [source, destination] = inProcessLink<number, string>(capacity)
      for (let k = 1; k < capacity; k++) assert.equal(await isSettled(source.send(k)), true)
      const last = source.send(capacity)
      assert.equal(await isSettled(last), false)
      assert.equal(await destination.receive(), 1)
      assert.equal(await isSettled(last), true)
    })
  }

  it('has room for 64 messages when nothing is said', async () => {
    const [source] = inProcessLink<number, string>()
    const sends = Array.from({ length: 64 }, (_, k) => source.send(k))
    const settled = await Promise.all(sends.map(isSettled))
    assert.equal(settled.indexOf(false), 63)
  })

  it('rejects what waits at both ends with the reason of close()', async () => {
    const [source, destination] = inProcessLink<number, string>(1)
    const why = new Error('unplugged')
    const waiting = [source.send(1), source.receive()]
    destination.close(why)
    for (const call of waiting) await assert.rejects(call, why)
    await assert.rejects(source.send(2), why)
    await assert.rejects(destination.send('a'), why)
    await assert.rejects(destination.receive(), why)
  })

  it('still gives what was sent before the sender closed, and then its reason', async () => {
    const [source, destination] = inProcessLink<number, string>()
    const why = new Error('done')
    await source.send(1)
    source.close(why)
    assert.equal(await destination.receive(), 1)
    await assert.rejects(destination.receive(), why)
  })

  it('says that the link was closed where nobody gave a reason, and keeps the first reason', async () => {
    const [source, destination] = inProcessLink<number, string>()
    source.close()
    source.close(new Error('again'))
    destination.close(new Error('too late'))
    await assert.rejects(destination.receive(), { code: 'ERR_VFIO_LINK' })
  })

  for (const capacity of [0, -1, 1.5, NaN, Infinity]) {
    it(`refuses a capacity of ${capacity}`, () => {
      assert.throws(() => inProcessLink(capacity), RangeError)
    })
  }
})
