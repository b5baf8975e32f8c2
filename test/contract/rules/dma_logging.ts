// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { type Device, openDevice } from '../device.ts'
import { flag, said, states } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'

const where = 'DMA logging'
const page = 4096n
const top = 2n ** 64n
const core: Evidence = ['core']
const needs: Needs = { logging: true }

/** The limits of a device's tracker are its own: these are the simulated ones. */
const ofOurs: Needs = { flavours: ['mlx5'], logging: true, controls: ['image'] }

type Range = readonly [iova: bigint, length: bigint]

const many = (count: number): Range[] =>
  Array.from({ length: count }, (_, index) => [BigInt(index) * page, page])

const start = async (device: Device, ranges: readonly Range[], pageSize = 4096): Promise<number | string> =>
  said(await device.calls.dmaLoggingStart(pageSize, BigUint64Array.from(ranges.flat())))

const report = async (
  device: Device,
  iova: bigint,
  length: bigint,
  pageSize = 4096,
): Promise<bigint[] | string | number> => {
  const { result, bitmap } = await device.calls.dmaLoggingReport(iova, length, pageSize)
  return result < 0 ? said(result) : [...bitmap]
}

/** Ranges that are refused; where two rules are broken at once, the one that is looked at first answers. */
const refused: readonly (readonly [id: string, what: string, ranges: readonly Range[], answer: string])[] = [
  ['none', 'no range', [], 'EINVAL'],
  ['257', '257 ranges', many(257), 'E2BIG'],
  ['iova', 'an address off the page', [[1n, page]], 'EINVAL'],
  ['length', 'a length off the page', [[0n, page + 1n]], 'EINVAL'],
  ['overflow', 'a range past the end of all addresses', [[top - page, 2n * page]], 'EOVERFLOW'],
  ['overlap', 'a range over an earlier one', [[0n, 2n * page], [page, page]], 'EINVAL'],
  ['same', 'one range twice', [[page, page], [page, page]], 'EINVAL'],
  ['count-first', '257 ranges of which the first is off the page', [[1n, page], ...many(256)], 'E2BIG'],
  ['in-order', 'a range past the end after one off the page', [[1n, page], [top - page, 2n * page]], 'EINVAL'],
  ['in-order-too', 'a range off the page after one past the end', [[top - page, 2n * page], [1n, page]], 'EOVERFLOW'],
  ['page-first', 'a range off the page and past the end', [[top - page + 1n, 2n * page]], 'EINVAL'],
] // prettier-ignore

const starts = refused.map(([id, what, ranges, answer]): Rule => ({
  id: `log-${id}`,
  name: `a start with ${what} is ${answer}`,
  where,
  evidence: core,
  needs,
  async run(subject) {
    await using device = await openDevice(subject)
    assert.equal(await start(device, ranges), answer)
  },
}))

export const dmaLogging: readonly Rule[] = [
  ...starts,
  {
    id: 'log-256',
    name: 'a start takes 256 ranges',
    where,
    evidence: core,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(typeof (await start(device, many(256))), 'number')
    },
  },
  {
    id: 'log-mask',
    name: 'whether a range is on the page is asked with a mask: a page size of three pages takes one page, and not three',
    where,
    evidence: core,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await start(device, [[0n, 3n * page]], 12_288), 'EINVAL')
      assert.equal(typeof (await start(device, [[0n, page]], 12_288)), 'number')
    },
  },
  {
    id: 'log-report-page',
    name: 'a report in pages of less than 4 KiB, or of no power of two, is EINVAL, before anything else is looked at',
    where,
    evidence: core,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      for (const pageSize of [1, 1024, 2048, 6144, 12_288])
        assert.equal(await report(device, 0n, 16n * page, pageSize), 'EINVAL', `${pageSize}`)
      assert.equal(await report(device, top - page, 2n * page, 2048), 'EINVAL')
    },
  },
  {
    id: 'log-report-overflow',
    name: 'a report past the end of all addresses is EOVERFLOW',
    where,
    evidence: core,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await report(device, top - page, 2n * page), 'EOVERFLOW')
    },
  },
  {
    id: 'log-stop-always',
    name: 'a stop answers 0 whether anything was started or not, and again',
    where,
    evidence: ['mtty', 'mlx5'],
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      for (let times = 0; times < 2; times++) assert.equal(said(await device.calls.dmaLoggingStop()), 0)
      await start(device, [[0n, page]])
      for (let times = 0; times < 2; times++) assert.equal(said(await device.calls.dmaLoggingStop()), 0)
    },
  },
  {
    id: 'log-every-state',
    name: 'DMA logging starts and stops in every state and changes none',
    where,
    evidence: ['mtty', 'mlx5'],
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      for (const state of states.filter(name => name !== 'ERROR')) {
        await device.reset()
        if ((await device.set(state)).result < 0) continue
        assert.equal(await start(device, [[0n, 16n * page]]), 4096, state)
        assert.equal(typeof (await report(device, 0n, 16n * page)), 'object', state)
        assert.equal(said(await device.calls.dmaLoggingStop()), 0, state)
        assert.equal(await device.state(), state)
      }
    },
  },
  {
    id: 'log-mtty-nothing',
    name: 'mtty takes any page size, starts twice, reports without a start, and never a page',
    where,
    evidence: ['mtty'],
    needs: { flavours: ['mtty'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.deepEqual(await report(device, 0n, 128n * page), [0n, 0n])
      assert.equal(await start(device, [[0n, 128n * page]], 8192), 8192)
      assert.equal(await start(device, [[0n, 128n * page]]), 4096)
      assert.deepEqual(await report(device, 0n, 128n * page), [0n, 0n])
    },
  },
  {
    id: 'log-mlx5-twice',
    name: 'mlx5 starts once: EINVAL until it was stopped',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5'], logging: true },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(typeof (await start(device, [[0n, 16n * page]])), 'number')
      assert.equal(await start(device, [[0n, 16n * page]]), 'EINVAL')
      await device.calls.dmaLoggingStop()
      assert.equal(typeof (await start(device, [[0n, 16n * page]])), 'number')
    },
  },
  {
    id: 'log-mlx5-inactive',
    name: 'mlx5 reports while it logs: EINVAL before the start and after the stop',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5'], logging: true },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await report(device, 0n, 16n * page), 'EINVAL')
      await start(device, [[0n, 16n * page]])
      assert.deepEqual(await report(device, 0n, 16n * page), [0n])
      await device.calls.dmaLoggingStop()
      assert.equal(await report(device, 0n, 16n * page), 'EINVAL')
    },
  },
  {
    id: 'log-reports-once',
    name: 'a report has one bit a page, the lowest first, and clears what it told and nothing else',
    where,
    evidence: ['mlx5'],
    needs: { logging: true, controls: ['dma'], flavours: ['mlx5'] },
    async run(subject) {
      await using device = await openDevice(subject, { sizeKiB: 1024 })
      await start(device, [[0n, 130n * page]])
      await device.controls.dma(66)
      assert.deepEqual(await report(device, page, 130n * page - page), [2n ** 64n - 1n, 1n, 0n])
      assert.deepEqual(await report(device, 0n, 130n * page), [1n, 0n, 0n])
      assert.deepEqual(await report(device, 0n, 130n * page), [0n, 0n, 0n])
    },
  },
  {
    id: 'log-mlx5-page-size',
    name: 'mlx5 rounds the page size down to a power of two between those of its device, and answers it',
    where,
    evidence: ['mlx5'],
    needs: ofOurs,
    async run(subject) {
      await using device = await openDevice(subject)
      for (const [hint, chosen, range] of [
        [4096, 4096, page],
        [12_288, 8192, page],
        [1 << 21, 1 << 21, 1n << 21n],
        [1 << 23, 1 << 21, 1n << 23n],
        [512, 4096, page],
      ] as const) {
        assert.equal(await start(device, [[0n, range]], hint), chosen, `${hint}`)
        await device.calls.dmaLoggingStop()
      }
    },
  },
  {
    id: 'log-mlx5-span',
    name: 'mlx5 refuses ranges that are together more than its device can span: EOPNOTSUPP, and logs nothing',
    where,
    evidence: ['mlx5'],
    needs: ofOurs,
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await start(device, [[0n, 2n ** 43n]]), 'EOPNOTSUPP')
      assert.equal(await report(device, 0n, 16n * page), 'EINVAL')
    },
  },
  {
    id: 'log-mlx5-broken',
    name: 'a tracker of mlx5 that broke answers EIO to every report until it was stopped and started',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5'], logging: true, controls: ['breakLog'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await start(device, [[0n, 16n * page]])
      await device.controls.breakLog()
      for (let times = 0; times < 2; times++) assert.equal(await report(device, 0n, 16n * page), 'EIO')
      await device.calls.dmaLoggingStop()
      await start(device, [[0n, 16n * page]])
      assert.deepEqual(await report(device, 0n, 16n * page), [0n])
    },
  },
  {
    id: 'log-survives-reset',
    name: 'mlx5 logs on over a reset, and over every arc',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5'], flags: flag.PRE_COPY, logging: true },
    async run(subject) {
      await using device = await openDevice(subject)
      await start(device, [[0n, 16n * page]])
      await device.go('PRE_COPY', 'STOP_COPY', 'RUNNING')
      await device.reset()
      assert.deepEqual(await report(device, 0n, 16n * page), [0n])
      assert.equal(await start(device, [[0n, 16n * page]]), 'EINVAL')
    },
  },
  {
    id: 'log-ends-with-close',
    name: 'the last close ends the logging of mlx5',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5'], logging: true, controls: ['reopen'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await start(device, [[0n, 16n * page]])
      await device.calls.close()
      const calls = await device.controls.reopen()
      assert.equal(said((await calls.dmaLoggingReport(0n, 16n * page, 4096)).result), 'EINVAL')
    },
  },
]
