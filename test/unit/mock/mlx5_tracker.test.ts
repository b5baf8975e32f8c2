// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { hold, said, type Hand } from './hand.js'

const page = 4096n

async function logging(
  options: Parameters<typeof hold>[0] = {},
  ...ranges: [bigint, bigint][]
): Promise<Hand> {
  const hand = hold(options)
  const flat = BigUint64Array.from((ranges.length > 0 ? ranges : ([[0n, 2n ** 30n]] as const)).flat())
  assert.equal(await hand.backend.calls.dmaLoggingStart(4096, flat), 4096)
  return hand
}

/** The numbers of the bits that are set, or the errno. */
async function report(
  hand: Hand,
  iova = 0n,
  length = 64n * page,
  pageSize = 4096,
): Promise<number[] | string | number> {
  const { result, bitmap } = await hand.backend.calls.dmaLoggingReport(iova, length, pageSize)
  if (result < 0) return said(result)
  const bits = Array.from({ length: bitmap.length * 64 }, (_, bit) => bit)
  return bits.filter(bit => ((bitmap[bit >> 6] ?? 0n) >> BigInt(bit & 63)) & 1n)
}

const start = async (hand: Hand, pageSize: number, ...flat: bigint[]): Promise<number | string> =>
  said(await hand.backend.calls.dmaLoggingStart(pageSize, BigUint64Array.from(flat)))

describe("mlx5's log of DMA", () => {
  it('has the pages that the workload wrote since the last report', async () => {
    const hand = await logging({ size: '256KiB' })
    hand.mock.step(3)
    assert.deepEqual(await report(hand), [0, 1, 2])
    assert.deepEqual(await report(hand), [])
    hand.mock.step(2)
    assert.deepEqual(await report(hand), [3, 4])
  })

  it('has them also of time that has passed', async () => {
    const hand = hold({ size: '256KiB', dirty: 40_960 })
    await hand.backend.calls.dmaLoggingStart(4096, BigUint64Array.of(0n, 2n ** 20n))
    await hand.clock.sleep(500)
    assert.deepEqual(await report(hand), [0, 1, 2, 3, 4])
  })

  it('forgets what was reported and no more', async () => {
    const hand = await logging({ size: '256KiB' })
    hand.mock.step(6)
    assert.deepEqual(await report(hand, 2n * page, 2n * page), [0, 1])
    assert.deepEqual(await report(hand), [0, 1, 4, 5])
  })

  it('has pages of the device outside of its state too, and none outside of the ranges', async () => {
    const hand = await logging({}, [2n ** 32n, 16n * page])
    hand.mock.step(4)
    hand.mock.writeByDma(2n ** 32n + 5n * page + 7n)
    hand.mock.writeByDma(2n ** 33n)
    assert.deepEqual(await report(hand, 2n ** 32n), [5])
    assert.deepEqual(await report(hand), [])
  })

  it('sets a bit for each page of the caller in one of the device', async () => {
    const hand = hold({ size: '256KiB', dmaLog: { minPageSize: '16KiB' } })
    assert.equal(await start(hand, 4096, 0n, 2n ** 20n), 16384)
    hand.mock.step(1)
    assert.deepEqual(await report(hand), [0, 1, 2, 3])
    assert.deepEqual(await report(hand, 0n, 64n * page, 8192), [])
    hand.mock.step(4)
    assert.deepEqual(await report(hand, 0n, 64n * page, 8192), [0, 1, 2, 3])
  })

  const sizes: readonly [wish: number, chosen: number][] = [
    [4096, 4096],
    [8192, 8192],
    [12288, 8192],
    [2 ** 30, 2 ** 21],
    [1024, 4096],
  ]
  for (const [wish, chosen] of sizes) {
    it(`logs in pages of ${chosen} when ${wish} are wished for`, async () => {
      assert.equal(await start(hold(), wish, 0n, 2n ** 30n), chosen)
    })
  }

  const refused: readonly [what: string, flat: bigint[], pageSize: number, answer: string][] = [
    ['no range', [], 4096, 'EINVAL'],
    ['more than 256', Array.from({ length: 514 }, (_, k) => BigInt(k) * page), 4096, 'E2BIG'],
    ['an address off the page', [1n, page], 4096, 'EINVAL'],
    ['a length off the page', [0n, page + 1n], 4096, 'EINVAL'],
    ['a range past the end of all addresses', [2n ** 64n - page, 2n * page], 4096, 'EOVERFLOW'],
    ['two that overlap', [0n, 2n * page, page, page], 4096, 'EINVAL'],
    ['more than the device can log', [0n, 2n ** 43n], 4096, 'EOPNOTSUPP'],
  ]
  for (const [what, flat, pageSize, answer] of refused) {
    it(`does not begin with ${what}: ${answer}`, async () => {
      assert.equal(await start(hold(), pageSize, ...flat), answer)
    })
  }

  it('merges ranges that are too many for the device, over the smallest gap', async () => {
    const hand = await logging(
      { dmaLog: { maxRanges: 2 } },
      [0n, page],
      [2n * page, page],
      [100n * page, page],
    )
    for (const number of [0n, 1n, 2n, 3n, 99n, 100n]) hand.mock.writeByDma(number * page)
    assert.deepEqual(await report(hand, 0n, 128n * page), [0, 1, 2, 100])
  })

  it('begins once, stops at any time, and begins anew', async () => {
    const hand = await logging()
    assert.equal(await start(hand, 4096, 0n, page), 'EINVAL')
    assert.equal(await hand.backend.calls.dmaLoggingStop(), 0)
    assert.equal(await hand.backend.calls.dmaLoggingStop(), 0)
    assert.equal(await report(hand), 'EINVAL')
    assert.equal(await start(hand, 4096, 0n, page), 4096)
  })

  const reports: readonly [iova: bigint, length: bigint, pageSize: number, answer: string][] = [
    [0n, page, 2048, 'EINVAL'],
    [0n, page, 12288, 'EINVAL'],
    [0n, 0n, 4096, 'EINVAL'],
    [2n ** 64n - page, 2n * page, 4096, 'EOVERFLOW'],
    [0n, 2n ** 60n, 4096, 'E2BIG'],
  ]
  for (const [iova, length, pageSize, answer] of reports) {
    it(`answers ${answer} to a report of ${length} bytes at ${iova} in pages of ${pageSize}`, async () => {
      assert.equal(await report(await logging(), iova, length, pageSize), answer)
    })
  }

  it('answers EIO to every report once it is broken, until it is begun anew', async () => {
    const hand = await logging({ faults: [{ on: 'TRACKER', nth: 2 }] })
    hand.mock.step()
    assert.deepEqual(await report(hand), [0])
    assert.deepEqual([await report(hand), await report(hand)], ['EIO', 'EIO'])
    await hand.backend.calls.dmaLoggingStop()
    await start(hand, 4096, 0n, 2n ** 20n)
    hand.mock.step()
    assert.deepEqual(await report(hand), [1])
  })

  it('fails as the firmware does', async () => {
    assert.equal(await start(hold({ faults: [{ on: 'LOG_START', status: 0xf }] }), 4096, 0n, page), 'EAGAIN')
    const hand = await logging({ faults: [{ on: 'LOG_REPORT', errno: 'ETIMEDOUT' }] })
    assert.equal(await report(hand), 'ETIMEDOUT')
    assert.deepEqual(await report(hand), [])
  })

  it('ends with the last close', async () => {
    const hand = await logging()
    await hand.backend.calls.close()
    const { calls } = hand.mock.open()
    assert.equal(said((await calls.dmaLoggingReport(0n, page, 4096)).result), 'EINVAL')
  })
})
