// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '../device.ts'
import { flag, said } from '../numbers.ts'
import type { Needs, Rule } from '../rule.ts'
import { page, report, start } from './log_calls.ts'

const where = 'DMA logging'

/** The limits of a device's tracker are its own: these are the simulated ones. */
const ofOurs: Needs = { flavours: ['mlx5'], logging: true, controls: ['image'] }

export const mlx5Tracker: readonly Rule[] = [
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
