// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice } from '../device.ts'
import { flag } from '../numbers.ts'
import type { Evidence, Rule } from '../rule.ts'
import { firstRecord } from './records.ts'

const where = 'data_fd'
const shown: Evidence = ['mtty', 'mlx5']
const mlx5: Evidence = ['mlx5']
const polled = { controls: ['poll'], flags: flag.PRE_COPY | flag.P2P } as const
const [IN, OUT, RDNORM, WRNORM, RDHUP] = [0x1, 0x4, 0x40, 0x100, 0x2000]
/** What poll(2) says of a file without a poll handler. */
const alwaysReady = IN | OUT | RDNORM | WRNORM

export const poll: readonly Rule[] = [
  {
    id: 'fd-always-ready',
    name: 'poll calls a saving fd without a poll handler ready at once, whether there is something or not',
    where,
    evidence: ['mtty'],
    needs: { ...polled, flavours: ['mtty', 'virtio', 'qat'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      assert.equal(await device.controls.poll(), alwaysReady)
      await drain(session)
      assert.equal(await device.controls.poll(), alwaysReady)
    },
  },
  {
    id: 'fd-resuming-ready',
    name: 'poll calls a resuming fd ready at once',
    where,
    evidence: shown,
    needs: { controls: ['poll'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.begin('RESUMING')
      assert.equal(await device.controls.poll(), alwaysReady)
    },
  },
  {
    id: 'fd-poll-mlx5',
    name: 'poll of mlx5 says readable while there are bytes, nothing when idle, and readable at the end',
    where,
    evidence: mlx5,
    needs: { ...polled, flavours: ['mlx5'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      assert.equal(await device.controls.poll(), IN | RDNORM)
      await drain(session)
      assert.equal(await device.controls.poll(), 0)
      await device.go('STOP_COPY')
      await drain(session)
      assert.equal(await device.controls.poll(), IN | RDNORM)
    },
  },
  {
    id: 'fd-poll-dead',
    name: 'poll of mlx5 says readable and hung up when the session is over',
    where,
    evidence: mlx5,
    needs: { controls: ['poll', 'raw'], flavours: ['mlx5'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.begin('STOP_COPY')
      await device.go('STOP')
      assert.equal(await device.controls.poll(), IN | RDNORM | RDHUP)
    },
  },
  {
    id: 'fd-poll-failed',
    name: 'so it does when a SAVE has failed',
    where,
    evidence: mlx5,
    needs: { ...polled, flavours: ['mlx5'], controls: ['poll', 'failStatus', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.failStatus('SAVE', 0x1)
      const session = await device.begin('PRE_COPY')
      assert.equal(await info(session), 'ENODEV')
      assert.equal(await device.controls.poll(), IN | RDNORM | RDHUP)
    },
  },
  {
    id: 'fd-poll-increment',
    name: 'poll says nothing of dirty pages until somebody has asked for precopy info',
    where,
    evidence: mlx5,
    needs: { ...polled, flavours: ['mlx5'], controls: ['poll', 'dirty', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      await device.controls.dirty(2)
      assert.equal(await device.controls.poll(), 0)
      await info(session)
      await info(session) // is answered when the image is made
      assert.equal(await device.controls.poll(), IN | RDNORM)
    },
  },
  {
    id: 'fd-poll-held',
    name: 'poll says nothing while a SAVE runs and what was there is read: the first, an increment, the final one',
    where,
    evidence: mlx5,
    needs: { ...polled, flavours: ['mlx5'], controls: ['poll', 'hold', 'dirty', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const first = await device.controls.hold('SAVE')
      const session = await device.begin('PRE_COPY')
      await first.reached()
      assert.equal(await device.controls.poll(), IN | RDNORM)
      await session.read(firstRecord, 0)
      assert.equal(await device.controls.poll(), 0)
      await first.release()
      await info(session)
      await drain(session)
      await device.controls.dirty(1)
      const second = await device.controls.hold('SAVE')
      await info(session)
      await second.reached()
      assert.equal(await device.controls.poll(), 0)
      await second.release()
      await info(session)
      await drain(session)
      const last = await device.controls.hold('SAVE')
      await device.go('STOP_COPY')
      await last.reached()
      assert.equal(await device.controls.poll(), 0)
      await last.release()
    },
  },
]
