// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, openDevice, readOnce } from '../device.ts'
import { said, stateNumbers, type State } from '../numbers.ts'
import type { Rule } from '../rule.ts'

const where = 'life cycle'
const shown = ['mtty', 'mlx5'] as const

/** States without a session, which a close and an open may or may not survive. */
const left: readonly State[] = ['STOP', 'RUNNING_P2P']

export const lifeCycle: readonly Rule[] = [
  {
    id: 'opened-running',
    name: 'a device that was never driven is RUNNING when it is opened',
    where,
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await device.state(), 'RUNNING')
    },
  },
  {
    id: 'reopened-running',
    name: 'a PCI function is RUNNING after its last close and the next open, whatever it was',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5', 'virtio', 'hisi_acc', 'qat', 'pds', 'xe'], controls: ['reopen'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.go('STOP')
      await device.calls.close()
      const calls = await device.controls.reopen()
      assert.equal(await calls.getState(), stateNumbers.RUNNING)
    },
  },
  {
    id: 'reopened-mtty',
    name: 'mtty keeps its state over the last close',
    where,
    evidence: ['mtty'],
    needs: { flavours: ['mtty'], controls: ['reopen'] },
    async run(subject) {
      for (const state of left) {
        await using device = await openDevice(subject)
        await device.go(state)
        await device.calls.close()
        const calls = await device.controls.reopen()
        assert.equal(await calls.getState(), stateNumbers[state])
      }
    },
  },
  {
    id: 'two-fds-one-state',
    name: 'two fds of a device steer one state machine',
    where,
    evidence: shown,
    needs: { controls: ['another'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const other = await device.another()
      await device.go('STOP')
      assert.equal(await other.state(), 'STOP')
      assert.equal(await other.answerTo('RUNNING'), 0)
      assert.equal(await device.state(), 'RUNNING')
    },
  },
  {
    id: 'one-close-of-two',
    name: 'the close of one fd of two ends nothing: state and session live on',
    where,
    evidence: shown,
    needs: { controls: ['another'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const other = await device.another()
      const session = await device.begin('STOP_COPY')
      assert.equal(await other.state(), 'STOP_COPY')
      await other.fd.close()
      assert.equal(await device.state(), 'STOP_COPY')
      assert.ok((await drain(session)).length > 0)
      assert.equal(await readOnce(session), 0)
    },
  },
  {
    id: 'reset-by-another',
    name: 'a reset through one fd ends the session that was begun through another',
    where,
    evidence: shown,
    needs: { controls: ['another'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const other = await device.another()
      const session = await device.begin('STOP_COPY')
      assert.equal(said(await other.fd.reset()), 0)
      assert.equal(await readOnce(session), 'ENODEV')
      assert.equal(await device.state(), 'RUNNING')
    },
  },
  {
    id: 'session-of-another',
    name: 'a session goes on when the arcs come through another fd',
    where,
    evidence: shown,
    needs: { controls: ['another'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const other = await device.another()
      const session = await device.begin('STOP_COPY')
      const bytes = (await drain(session)).length
      assert.equal(await other.answerTo('STOP'), 0)
      assert.equal(await readOnce(session), 'ENODEV')
      assert.equal((await device.save()).length, bytes)
    },
  },
  {
    id: 'closed-answers',
    name: 'after its close a device answers EBADF to everything, and may be closed again',
    where,
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const { calls } = device
      await calls.close()
      await calls.close()
      const answers = [
        await calls.getState(),
        await calls.migrationFlags(),
        await calls.dataSize(),
        await calls.probe(1, 0),
        (await calls.setStates([1])).result,
        (await calls.deviceInfo()).result,
        await calls.dmaLoggingStop(),
        await calls.reset(),
      ]
      assert.deepEqual(new Set(answers.map(said)), new Set(['EBADF']))
    },
  },
]
