// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice, readOnce, write } from '../device.ts'
import { flag, type Errno, type State } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import type { Command } from '../subject.ts'

const where = 'errors mid-path'
const mlx5: Evidence = ['mlx5']
const needs: Needs = {
  flavours: ['mlx5'],
  flags: flag.PRE_COPY | flag.P2P,
  controls: ['failStatus', 'image'],
}

/** One SET whose command fails, and where it leaves the device: in the last state that was completed. */
const failures: readonly (readonly [from: State, to: State, failing: Command, left: State])[] = [
  ['RUNNING', 'STOP_COPY', 'SUSPEND_INITIATOR', 'RUNNING'],
  ['RUNNING', 'STOP_COPY', 'SUSPEND_RESPONDER', 'RUNNING_P2P'],
  ['RUNNING', 'STOP_COPY', 'QUERY', 'STOP'],
  ['RUNNING', 'RESUMING', 'SUSPEND_RESPONDER', 'RUNNING_P2P'],
  ['RUNNING', 'PRE_COPY', 'QUERY', 'RUNNING'],
  ['RUNNING_P2P', 'PRE_COPY_P2P', 'QUERY', 'RUNNING_P2P'],
  ['STOP', 'RUNNING', 'RESUME_RESPONDER', 'STOP'],
  ['STOP', 'RUNNING', 'RESUME_INITIATOR', 'RUNNING_P2P'],
  ['STOP', 'PRE_COPY', 'RESUME_INITIATOR', 'RUNNING_P2P'],
  ['STOP', 'PRE_COPY', 'QUERY', 'RUNNING'],
  ['STOP_COPY', 'RUNNING', 'RESUME_RESPONDER', 'STOP'],
  ['PRE_COPY', 'STOP_COPY', 'SUSPEND_INITIATOR', 'PRE_COPY'],
  ['PRE_COPY', 'STOP_COPY', 'SUSPEND_RESPONDER', 'PRE_COPY_P2P'],
  ['PRE_COPY', 'STOP_COPY', 'QUERY', 'PRE_COPY_P2P'],
  ['PRE_COPY', 'RUNNING', 'QUERY', 'PRE_COPY'],
  ['PRE_COPY', 'STOP', 'SUSPEND_RESPONDER', 'RUNNING_P2P'],
  ['PRE_COPY', 'STOP', 'SUSPEND_INITIATOR', 'RUNNING'],
  ['PRE_COPY_P2P', 'PRE_COPY', 'RESUME_INITIATOR', 'PRE_COPY_P2P'],
  ['PRE_COPY_P2P', 'RUNNING', 'RESUME_INITIATOR', 'RUNNING_P2P'],
  ['RESUMING', 'RUNNING', 'RESUME_RESPONDER', 'STOP'],
]

const midPath = failures.map(([from, to, failing, left]): Rule => ({
  id: `fails-${from}-${to}-${failing}`,
  name: `${to === left ? 'a SET' : 'one SET'} from ${from} to ${to} whose ${failing} fails leaves the device in ${left}`,
  where,
  evidence: mlx5,
  needs,
  async run(subject) {
    await using device = await openDevice(subject)
    await device.go(from)
    await device.controls.failStatus(failing, 0x1)
    const { result, done, session } = await device.set(to)
    assert.deepEqual([result, done, session], [-5, 0, undefined])
    assert.equal(await device.state(), left)
    await device.reset()
    assert.equal(await device.state(), 'RUNNING')
  },
}))

export const errors: readonly Rule[] = [
  ...midPath,
  {
    id: 'fails-and-goes-on',
    name: 'after a suspension that failed the same SET goes on from where the device is',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.failStatus('SUSPEND_RESPONDER', 0x6)
      assert.equal(await device.answerTo('STOP_COPY'), 'EBUSY')
      const session = await device.begin('STOP_COPY')
      assert.ok((await drain(session)).length > 0)
    },
  },
  {
    id: 'closed-stays-closed',
    name: 'a session that an early arc ended stays dead when a later arc fails',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await device.controls.failStatus('SUSPEND_RESPONDER', 0x1)
      assert.equal(await device.answerTo('STOP'), 'EIO')
      assert.equal(await device.state(), 'RUNNING_P2P')
      assert.equal(await readOnce(session), 'ENODEV')
    },
  },
  {
    id: 'second-of-a-list',
    name: 'of a list of SETs the one that failed is told, with those before it done',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.failStatus('SUSPEND_RESPONDER', 0x1)
      const { result, done, times } = await device.set('RUNNING_P2P', 'STOP', 'STOP_COPY')
      assert.deepEqual([result, done, times.length], [-5, 1, 3])
    },
  },
  {
    id: 'cleanup-save-fails',
    name: 'leaving PRE_COPY is EIO where its last SAVE fails: the session is gone, the state is PRE_COPY still',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await device.controls.failStatus('SAVE', 0x1)
      assert.equal(await device.answerTo('RUNNING'), 'EIO')
      assert.equal(await device.state(), 'PRE_COPY')
      assert.equal(await readOnce(session), 'ENODEV')
      await device.reset()
      assert.equal(await device.state(), 'RUNNING')
    },
  },
  {
    id: 'final-query-fails',
    name: 'a final QUERY that fails kills the session: reads answer ENODEV, and every way out but reset as well',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await device.go('PRE_COPY_P2P')
      await device.controls.failStatus('QUERY', 0x1)
      assert.equal(await device.answerTo('STOP_COPY'), 'EIO')
      assert.equal(await readOnce(session), 'ENODEV')
      assert.equal(await device.state(), 'PRE_COPY_P2P')
      assert.equal(await info(session), 'ENODEV')
      assert.equal(await device.answerTo('STOP_COPY'), 'ENODEV')
      assert.equal(await device.answerTo('RUNNING_P2P'), 'ENODEV')
      await device.reset()
    },
  },
  {
    id: 'info-query-fails',
    name: 'a QUERY that fails is answered to who asked for precopy info; the session lives on',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await device.controls.failStatus('QUERY', 0x1)
      assert.equal(await info(session), 'EIO')
      assert.equal(typeof (await info(session)), 'object')
      assert.ok((await drain(session)).length > 0)
    },
  },
  {
    id: 'size-query-fails',
    name: 'a QUERY that fails is answered to who asked for the data size',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.failStatus('QUERY', 0x6)
      assert.equal(await device.calls.dataSize(), -16)
      assert.ok((await device.calls.dataSize()) > 0)
    },
  },
  {
    id: 'load-fails',
    name: 'a LOAD that fails is answered to the write of its last byte; the state stays RESUMING, and may be left',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const whole = await device.save()
      const session = await device.begin('RESUMING')
      await device.controls.failStatus('LOAD', 0x3)
      assert.equal(await write(session, whole.subarray(0, -1)), whole.length - 1)
      assert.equal(await write(session, whole.subarray(-1)), 'EINVAL')
      assert.equal(await device.state(), 'RESUMING')
      assert.equal(await device.answerTo('STOP'), 0)
      await device.reset()
    },
  },
  ...(['ETIMEDOUT', 'ENOLINK', 'ENOMEM'] as const).map((name: Errno): Rule => ({
    id: `driver-${name}`,
    name: `${name} of the driver's own comes through as it is`,
    where,
    evidence: mlx5,
    needs: { ...needs, controls: ['failErrno', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.failErrno('SUSPEND_INITIATOR', name)
      assert.equal(await device.answerTo('STOP'), name)
      assert.equal(await device.state(), 'RUNNING')
    },
  })),
]
