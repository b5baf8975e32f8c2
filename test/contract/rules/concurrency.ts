// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { openDevice, readBytes, write } from '../device.ts'
import { flag } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import { firstRecord } from './records.ts'

const where = 'concurrent calls'
const mlx5: Evidence = ['mlx5']
const needs: Needs = {
  flavours: ['mlx5'],
  flags: flag.PRE_COPY | flag.P2P,
  controls: ['hold', 'another', 'image'],
}

/** The order in which calls are answered, and when the command was released. */
class Order {
  readonly seen: string[] = []

  watch<T>(name: string, call: Promise<T>): Promise<T> {
    return call.then(answer => (this.seen.push(name), answer))
  }

  note(name: string): void {
    this.seen.push(name)
  }
}

export const concurrency: readonly Rule[] = [
  {
    id: 'get-waits-for-set',
    name: 'GET of the state through another fd waits for a SET, and answers the state after it',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const [getter, idle] = [await device.another(), await device.another()]
      const held = await device.controls.hold('SUSPEND_INITIATOR')
      const order = new Order()
      const setting = order.watch('SET', device.set('RUNNING_P2P'))
      await held.reached()
      const getting = order.watch('GET', getter.state())
      await idle.opportunity()
      order.note('release')
      await held.release()
      assert.equal((await setting).result, 0)
      assert.equal(await getting, 'RUNNING_P2P')
      assert.equal(order.seen[0], 'release')
    },
  },
  {
    id: 'set-waits-for-set',
    name: 'a SET through another fd waits for the first, and goes on from where that one has led',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const [second, idle] = [await device.another(), await device.another()]
      const held = await device.controls.hold('SUSPEND_INITIATOR')
      const order = new Order()
      const first = order.watch('first', device.set('STOP'))
      await held.reached()
      const later = order.watch('second', second.answerTo('RUNNING'))
      await idle.opportunity()
      order.note('release')
      await held.release()
      assert.equal((await first).result, 0)
      assert.equal(await later, 0)
      assert.equal(order.seen[0], 'release')
      assert.equal(await device.state(), 'RUNNING')
    },
  },
  {
    id: 'read-beside-set',
    name: 'read waits for no SET: the queue of the session flows on while a suspension hangs',
    where,
    evidence: mlx5,
    needs: { ...needs, controls: ['hold', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await session.precopyInfo()
      const held = await device.controls.hold('SUSPEND_INITIATOR')
      const setting = device.set('PRE_COPY_P2P')
      await held.reached()
      assert.equal((await readBytes(session, firstRecord + 1000)).length, firstRecord + 1000)
      await held.release()
      assert.equal((await setting).result, 0)
    },
  },
  {
    id: 'get-waits-for-load',
    name: 'GET of the state waits for a LOAD inside of write',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const [getter, idle] = [await device.another(), await device.another()]
      const whole = await device.save()
      const session = await device.begin('RESUMING')
      const held = await device.controls.hold('LOAD')
      const order = new Order()
      const writing = order.watch('write', write(session, whole))
      await held.reached()
      const getting = order.watch('GET', getter.state())
      await idle.opportunity()
      order.note('release')
      await held.release()
      assert.deepEqual([await writing, await getting], [whole.length, 'RESUMING'])
      assert.equal(order.seen[0], 'release')
    },
  },
  {
    id: 'suspend-waits-for-save',
    name: 'an arc that suspends waits for the SAVE that is running',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const idle = await device.another()
      const save = await device.controls.hold('SAVE')
      await device.begin('PRE_COPY')
      await save.reached()
      const order = new Order()
      const setting = order.watch('SET', device.set('PRE_COPY_P2P'))
      await idle.opportunity()
      order.note('release')
      await save.release()
      assert.equal((await setting).result, 0)
      assert.deepEqual(order.seen, ['release', 'SET'])
    },
  },
  {
    id: 'leave-stop-copy-waits',
    name: 'leaving STOP_COPY waits for the SAVE that is running',
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const idle = await device.another()
      const save = await device.controls.hold('SAVE')
      await device.begin('STOP_COPY')
      await save.reached()
      const order = new Order()
      const setting = order.watch('SET', device.set('STOP'))
      await idle.opportunity()
      order.note('release')
      await save.release()
      assert.equal((await setting).result, 0)
      assert.deepEqual(order.seen, ['release', 'SET'])
    },
  },
  {
    id: 'stop-copy-does-not-wait',
    name: 'the SET of STOP_COPY is answered while its SAVE runs: the device is stopped, the data come later',
    where,
    evidence: mlx5,
    needs: { ...needs, controls: ['hold', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const save = await device.controls.hold('SAVE')
      const session = await device.begin('STOP_COPY')
      await save.reached()
      assert.equal(await device.state(), 'STOP_COPY')
      await save.release()
      assert.ok((await bytesToEnd(session)) > firstRecord)
    },
  },
  {
    id: 'two-devices',
    name: 'a SET that hangs holds up no other device',
    where,
    evidence: mlx5,
    needs: { ...needs, controls: ['hold', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await using other = await openDevice(subject)
      const held = await device.controls.hold('SUSPEND_INITIATOR')
      const setting = device.set('STOP')
      await held.reached()
      assert.ok((await other.save()).length > 0)
      await held.release()
      assert.equal((await setting).result, 0)
    },
  },
]

async function bytesToEnd(session: SessionCalls): Promise<number> {
  for (let bytes = 0; ;) {
    const { result } = await session.read(1 << 20, 0)
    if (result <= 0) return bytes
    bytes += result
  }
}
