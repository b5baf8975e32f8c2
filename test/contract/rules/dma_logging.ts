// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '../device.ts'
import { said, statesWith } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import { page, report, start, type Range } from './log_calls.ts'

const where = 'DMA logging'
const top = 2n ** 64n
const core: Evidence = ['core']
const needs: Needs = { logging: true }

const many = (count: number): Range[] =>
  Array.from({ length: count }, (_, index) => [BigInt(index) * page, page])

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
      for (const state of statesWith(subject.flags)) {
        await device.reset()
        await device.go(state)
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
]
