// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice, readBytes, readOnce, write } from '../device.ts'
import { flag, said, stateFlags } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import { firstRecord } from './records.ts'

const where = 'reset'
const shown: Evidence = ['mtty', 'mlx5']
const mlx5: Evidence = ['mlx5']
const holding: Needs = { flavours: ['mlx5'], flags: flag.PRE_COPY | flag.P2P, controls: ['hold', 'image'] }

const resets = stateFlags.map(([state, flags]): Rule => ({
  id: `reset-${state}`,
  name: `reset leads from ${state} to RUNNING${['RUNNING', 'STOP', 'RUNNING_P2P'].includes(state) ? '' : ' and ends the session'}`,
  where,
  evidence: shown,
  needs: { flags },
  async run(subject) {
    await using device = await openDevice(subject)
    const { session } = await device.go(state)
    await device.reset()
    assert.equal(await device.state(), 'RUNNING')
    if (session === undefined) return
    // A write to a dead resuming fd is no question to ask of every driver.
    if (state !== 'RESUMING') assert.equal(await readOnce(session), 'ENODEV')
    else if (subject.flavour !== 'virtio') assert.equal(await write(session, Buffer.alloc(8)), 'ENODEV')
  },
}))

export const reset: readonly Rule[] = [
  ...resets,
  {
    id: 'reset-again',
    name: 'a reset may follow another, and the device migrates as before',
    where,
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      for (let times = 0; times < 3; times++) await device.reset()
      assert.ok((await device.save()).length > 0)
    },
  },
  {
    id: 'reset-half-loaded',
    name: 'a reset is the way out of a load that was begun',
    where,
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const whole = await device.save()
      const session = await device.begin('RESUMING')
      assert.equal(await write(session, whole.subarray(0, 20)), 20)
      await device.reset()
      assert.equal(await device.state(), 'RUNNING')
      const again = await device.begin('RESUMING')
      assert.equal(await write(again, whole), whole.length)
      await device.go('RUNNING')
    },
  },
  {
    id: 'reset-half-read',
    name: 'a reset ends a session that was read in part, and the next one begins at its beginning',
    where,
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const { length } = await device.save()
      const session = await device.begin('STOP_COPY')
      await readBytes(session, 10)
      await device.reset()
      assert.equal(await readOnce(session), 'ENODEV')
      assert.equal((await device.save()).length, length)
    },
  },
  {
    id: 'reset-during-set',
    name: 'reset overtakes a SET: it answers at once, the command that it overtook fails, and the device is RUNNING after it',
    where,
    evidence: mlx5,
    needs: holding,
    async run(subject) {
      await using device = await openDevice(subject)
      const held = await device.controls.hold('SUSPEND_INITIATOR')
      const setting = device.answerTo('STOP')
      await held.reached()
      await device.reset()
      await held.release()
      assert.equal(await setting, 'EIO')
      assert.equal(await device.state(), 'RUNNING')
    },
  },
  {
    id: 'reset-while-waiting',
    name: 'a reset that comes while a question waits for a SAVE answers at once; the SAVE that it overtook kills the session',
    where,
    evidence: mlx5,
    needs: { ...holding, controls: ['hold', 'image', 'questionWaits'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const save = await device.controls.hold('SAVE')
      const session = await device.begin('PRE_COPY')
      await save.reached()
      const asking = info(session)
      // Whoever comes first has the state mutex: a reset that had it would wait for the SAVE.
      await device.controls.questionWaits()
      await readBytes(session, firstRecord)
      await device.reset()
      await save.release()
      assert.equal(await asking, 'ENODEV')
      assert.equal(await device.state(), 'RUNNING')
      assert.equal(await readOnce(session), 'ENODEV')
    },
  },
  {
    id: 'reset-during-save',
    name: 'reset waits for the SAVE that is running, and ends the session',
    where,
    evidence: mlx5,
    needs: holding,
    async run(subject) {
      for (const state of ['PRE_COPY', 'STOP_COPY'] as const) {
        await using device = await openDevice(subject)
        await using other = await openDevice(subject)
        const save = await device.controls.hold('SAVE')
        const session = await device.begin(state)
        await readBytes(session, firstRecord)
        await save.reached()
        const order: string[] = []
        const resetting = device.calls.reset().then(answer => (order.push('reset'), answer))
        // A reset takes its time by itself: one that did not wait would have come by the second of another device.
        for (let times = 0; times < 2; times++) await other.reset()
        order.push('release')
        await save.release()
        assert.equal(said(await resetting), 0)
        assert.deepEqual(order, ['release', 'reset'])
        assert.equal(await device.state(), 'RUNNING')
        assert.equal(await readOnce(session), 'ENODEV', state)
      }
    },
  },
  {
    id: 'reset-wakes-reader',
    name: 'a read that waits for the SAVE is answered while a reset waits too: the image where that was made first, else ENODEV; and ENODEV from then on',
    where,
    evidence: mlx5,
    needs: holding,
    async run(subject) {
      await using device = await openDevice(subject)
      const save = await device.controls.hold('SAVE')
      const session = await device.begin('STOP_COPY')
      await readBytes(session, firstRecord)
      await save.reached()
      const resetting = device.calls.reset()
      const reading = readOnce(session)
      await save.release()
      assert.equal(said(await resetting), 0)
      // The image where the SAVE came to its end before the reset: who comes first is open.
      const answer = await reading
      assert.ok(answer === 'ENODEV' || Number(answer) > 0, `the read answered ${answer}`)
      assert.equal(await readOnce(session), 'ENODEV')
    },
  },
  {
    id: 'reset-during-load',
    name: 'reset overtakes a LOAD: the write fails when it ends, and the device is RUNNING then',
    where,
    evidence: mlx5,
    needs: holding,
    async run(subject) {
      await using device = await openDevice(subject)
      const whole = await device.save()
      const session = await device.begin('RESUMING')
      const held = await device.controls.hold('LOAD')
      const writing = write(session, whole)
      await held.reached()
      await device.reset()
      await held.release()
      assert.equal(await writing, 'EIO')
      assert.equal(await device.state(), 'RUNNING')
      assert.equal(await write(session, Buffer.alloc(1)), 'ENODEV')
    },
  },
  {
    id: 'reset-during-info',
    name: 'reset overtakes the question for precopy info while it asks the firmware',
    where,
    evidence: mlx5,
    needs: holding,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      const held = await device.controls.hold('QUERY')
      const asking = info(session)
      await held.reached()
      await device.reset()
      await held.release()
      assert.equal(await asking, 'EIO')
      assert.equal(await device.state(), 'RUNNING')
      assert.equal(await readOnce(session), 'ENODEV')
    },
  },
]
