// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { openDevice, type Device } from '#lib/index.js'
import { openBottle, type Bottle } from './bottle.ts'
import type { BottledFunction } from './bottled.ts'
import { participantIova, startParticipant } from './participant.ts'

const page = 4096
const pages = 1000
const size = pages * page

const child = fileURLToPath(new URL('../../dist-test/kernel/child/dma_log.js', import.meta.url))

/** The numbers of the bits that are set. */
function bitsOf(words: BigUint64Array): number[] {
  const bits = []
  for (const [index, word] of words.entries())
    for (let bit = 0; bit < 64; bit++) if ((word >> BigInt(bit)) & 1n) bits.push(64 * index + bit)
  return bits
}

const upTo = (end: number, first = 0): number[] =>
  Array.from({ length: end - first }, (_, index) => first + index)

describe('the DMA log of a bottled mlx5 function', () => {
  let bottle: Bottle
  let bottled: BottledFunction
  let device: Device

  const all = { iova: 0n, length: BigInt(size) }
  const start = (pageSize = page, ranges = [all]): Promise<{ pageSize: number }> =>
    device.dmaLogging.start({ pageSize, ranges })
  const report = async (range = all, pageSize = page): Promise<number[]> =>
    bitsOf(await device.dmaLogging.report({ ...range, pageSize }))

  before(async () => {
    bottle = await openBottle({ size, functions: 1, capabilities: { adv_virtualization: true } })
    bottled = bottle.functions[0] ?? assert.fail()
    device = await openDevice(bottled.address)
  })
  afterEach(async () => {
    await device.dmaLogging.stop()
    await device.reset()
    assert.deepEqual(await bottled.pendingFaults(), [])
    assert.deepEqual(await bottle.objects(), { pds: 0, mkeys: 0 })
  })
  after(async () => {
    await device.close()
    await bottle[Symbol.asyncDispose]()
  })

  it('has the pages that were written since it was asked last', async () => {
    assert.equal(device.capabilities.dmaLogging, true)
    assert.deepEqual(await start(), { pageSize: page })
    assert.deepEqual(await report(), [])
    await bottled.step(3)
    assert.deepEqual(await report(), [0, 1, 2])
    await bottled.step(2)
    assert.deepEqual(await report(), [3, 4])
    assert.deepEqual(await report(), [])
  })

  it('has more pages than one message and all buffers of the driver hold, round after round', async () => {
    await start()
    for (let round = 0; round < 3; round++) {
      await bottled.step(pages)
      assert.deepEqual(await report(), upTo(pages))
    }
  })

  it('tells of a part, and keeps the rest', async () => {
    await start()
    await bottled.step(100)
    assert.deepEqual(await report({ iova: BigInt(10 * page), length: BigInt(20 * page) }), upTo(20))
    assert.deepEqual(await report(), [...upTo(10), ...upTo(100, 30)])
  })

  it('has nothing of what lies outside of the ranges', async () => {
    await start(page, [{ iova: BigInt(10 * page), length: BigInt(5 * page) }])
    await bottled.step(100)
    assert.deepEqual(await report(), upTo(15, 10))
  })

  it('is kept in the page size that was wished for, within what the firmware can', async () => {
    const ranges = [{ iova: 0n, length: 2n ** 30n }]
    for (const [wished, chosen] of [
      [1024, page],
      [2 ** 30, 2 ** 21],
      [4 * page, 4 * page],
    ] as const) {
      assert.deepEqual(await start(wished, ranges), { pageSize: chosen })
      await bottled.step(5)
      assert.deepEqual(await report(), upTo(Math.ceil((5 * page) / chosen) * (chosen / page)).slice(0, pages))
      await device.dmaLogging.stop()
      await device.reset()
    }
  })

  it('is not begun twice, nor asked when it was not begun', async () => {
    await assert.rejects(report(), { code: 'EINVAL' })
    await start()
    await assert.rejects(start(), { code: 'EINVAL' })
  })

  it('is refused for more memory than the firmware can track', async () => {
    await assert.rejects(start(page, [{ iova: 0n, length: 2n ** 43n }]), { code: 'EOPNOTSUPP' })
  })

  it('answers the errno of a firmware that fails, and goes on afterwards', async () => {
    await bottled.fault('LOG_START', { status: 8 })
    await assert.rejects(start(), { code: 'ENOMEM' })
    await start()
    await bottled.step(1)
    await bottled.fault('LOG_REPORT', { status: 6 })
    await assert.rejects(report(), { code: 'EBUSY' })
    assert.deepEqual(await report(), [0])
  })

  it('that breaks answers EIO until it is begun anew', async () => {
    await start()
    await bottled.fault('TRACKER', { status: 1 })
    await assert.rejects(report(), { code: 'EIO' })
    await assert.rejects(report(), { code: 'EIO' })
    await device.dmaLogging.stop()
    await start()
    assert.deepEqual(await report(), [])
  })

  it('outlives a reset, and ends with the physical function', async () => {
    await start()
    await device.reset()
    await bottled.step(1)
    assert.deepEqual(await report(), [0])
    await bottle.attach(false)
    await assert.rejects(report(), { code: 'EINVAL' })
    await assert.rejects(start(), { code: 'ENOTCONN' })
    await bottle.attach(true)
    await start()
  })

  it('ends with the last close', async () => {
    await start()
    await device.close()
    assert.deepEqual(await bottle.objects(), { pds: 0, mkeys: 0 })
    device = await openDevice(bottled.address)
    await start()
  })

  it('has what the function writes into the memory of its user', async () => {
    await device.close()
    {
      await using participant = await startParticipant([bottled.address])
      for (const order of ['map 0', 'master 0 1']) await participant.order(order)
      // Over the end of the first page.
      await bottled.setWindow({ iova: participantIova + 4096n - 16n, vector: 0 })
      assert.equal(await participant.lend([process.execPath, child, String(participantIova)]), 0)
    }
    device = await openDevice(bottled.address)
  })
})
