// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { ArcsAnswer, DeviceCalls } from '#lib/backend/seam.js'
import { monotonicClock } from '#lib/clock.js'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import { E, PRE_COPY, PRE_COPY_P2P, RUNNING_P2P, STOP, STOP_COPY, open, scenario } from './scenario.js'

const path = [RUNNING_P2P, STOP]

async function two(): Promise<[DeviceCalls, DeviceCalls]> {
  return [await open(0), await open(1)]
}

/** A device that waits for another one before its second SET. */
async function waiting(device: DeviceCalls, index: number, barrier = addon.barrier(2)) {
  const answer = device.setStates(path, { barrier, before: 1 })
  await kernel.until(`SET_STATE ${index} 5 = 0`)
  return { barrier, answer }
}

/** Nothing but the device has the barrier afterwards. */
async function waitAtForgotten(device: DeviceCalls) {
  const { barrier, answer } = await waiting(device, 0)
  return { answer, gone: new WeakRef(barrier) }
}

const outcome = ({ result, done, passed }: ArcsAnswer) => [result, done, passed === undefined]
const heldBack = [0, 1, true]

describe('a barrier', () => {
  scenario('lets nobody on before all have come, and stamps when they had', async () => {
    const [one, other] = await two()
    kernel.hold(1, 'SET_STATE')
    const barrier = addon.barrier(2)
    const answers = [one, other].map(device => device.setStates(path, { barrier, before: 1 }))
    kernel.waitFor('held SET_STATE')
    await kernel.until('SET_STATE 0 5 = 0')
    const released = monotonicClock.now()
    kernel.release('SET_STATE')
    for (const { result, done, times, passed = 0 } of await Promise.all(answers)) {
      assert.deepEqual([result, done, times.length], [0, 2, 3])
      const [issued = 0, first = 0, last = 0] = times
      const moments = [issued, first, passed, last]
      assert.deepEqual(
        moments,
        [...moments].sort((a, b) => a - b),
      )
      assert.ok(passed >= released)
    }
    const log = kernel.lines('SET_STATE')
    assert.deepEqual(log.slice(0, 2), ['SET_STATE 0 5 = 0', 'SET_STATE 1 5 = 0'])
    assert.deepEqual(log.slice(2).sort(), ['SET_STATE 0 1 = 0', 'SET_STATE 1 1 = 0'])
  })

  scenario('can stand before the first SET, whose time begins behind it', async () => {
    const [one, other] = await two()
    const barrier = addon.barrier(2)
    const first = one.setStates([RUNNING_P2P], { barrier, before: 0 })
    const last = other.setStates([RUNNING_P2P, STOP], { barrier, before: 1 })
    const { times, passed, done } = await first
    assert.deepEqual([times.length, times[0], done], [2, passed, 1])
    await last
    assert.deepEqual(kernel.lines('SET_STATE')[0], 'SET_STATE 1 5 = 0')
  })

  scenario('is broken by a SET that fails before it, and not by one behind it', async () => {
    const [one, other] = await two()
    const { barrier, answer } = await waiting(one, 0)
    kernel.rule(1, 'SET_STATE', 'fail', E.EIO)
    assert.deepEqual(outcome(await other.setStates(path, { barrier, before: 1 })), [-E.EIO, 0, true])
    assert.deepEqual(outcome(await answer), heldBack)
    assert.equal(await one.getState(), RUNNING_P2P)

    const next = addon.barrier(2)
    kernel.rule(1, 'SET_STATE', 'fail', E.EIO, 2)
    const answers = [
      one.setStates([STOP], { barrier: next, before: 0 }),
      other.setStates(path, { barrier: next, before: 1 }),
    ]
    assert.deepEqual((await Promise.all(answers)).map(outcome), [
      [0, 1, false],
      [-E.EIO, 1, false],
    ])
  })

  scenario('is broken by whoever made it, once and for all', async () => {
    const [one, other] = await two()
    const { barrier, answer } = await waiting(one, 0)
    barrier.break()
    barrier.break()
    assert.deepEqual(outcome(await answer), heldBack)
    assert.deepEqual(outcome(await other.setStates(path, { barrier, before: 1 })), heldBack)
    assert.deepEqual(kernel.lines('SET_STATE'), ['SET_STATE 0 5 = 0', 'SET_STATE 1 5 = 0'])
  })

  scenario('stays open when it is broken too late', async () => {
    const [one, other] = await two()
    const { barrier, answer } = await waiting(one, 0)
    kernel.rule(1, 'SET_STATE', 'hold', 0, 2)
    const last = other.setStates(path, { barrier, before: 1 })
    kernel.waitFor('held SET_STATE')
    barrier.break()
    kernel.release('SET_STATE')
    assert.deepEqual((await Promise.all([answer, last])).map(outcome), [
      [0, 2, false],
      [0, 2, false],
    ])
  })

  scenario('keeps nobody from closing: who waits is held back, and so are the others', async () => {
    const [one, other] = await two()
    const barrier = addon.barrier(3)
    const answers = await Promise.all([waiting(one, 0, barrier), waiting(other, 1, barrier)])
    await one.close()
    for (const { answer } of answers) assert.deepEqual(outcome(await answer), heldBack)
    assert.equal(await other.getState(), RUNNING_P2P)
  })

  scenario('is broken by a close while the SET before it is in the kernel', async () => {
    const [one, other] = await two()
    const { barrier, answer } = await waiting(one, 0)
    kernel.hold(1, 'SET_STATE')
    const hanging = other.setStates(path, { barrier, before: 1 })
    kernel.waitFor('held SET_STATE')
    const closing = other.close()
    // Before the call has come back.
    assert.deepEqual(outcome(await answer), heldBack)
    kernel.release('SET_STATE')
    assert.deepEqual(outcome(await hanging), heldBack)
    await closing
  })

  scenario('is broken by a device that is closed, and by one whose turn never comes', async () => {
    const [one, other] = await two()
    const third = await open(2)
    const { barrier, answer } = await waiting(one, 0)
    await other.close()
    assert.equal((await other.setStates(path, { barrier, before: 1 })).result, -E.EBADF)
    assert.deepEqual(outcome(await answer), heldBack)

    const next = addon.barrier(2)
    const again = one.setStates([STOP], { barrier: next, before: 0 })
    kernel.hold(2, 'GET_STATE')
    void third.getState()
    kernel.waitFor('held GET_STATE')
    const cancelled = third.setStates(path, { barrier: next, before: 1 })
    const closing = third.close()
    assert.deepEqual(outcome(await again), [0, 0, true])
    assert.equal((await cancelled).result, -E.ECANCELED)
    kernel.release('GET_STATE')
    await closing
  })

  scenario('leaves the session that was opened on the way to whoever is held back', async () => {
    const device = await open()
    const barrier = addon.barrier(2)
    const answer = device.setStates([PRE_COPY, PRE_COPY_P2P, STOP_COPY], { barrier, before: 2 })
    await kernel.until('SET_STATE 0 7 = 0')
    barrier.break()
    const { session, done } = await answer
    assert.equal(done, 2)
    assert.equal((await session?.read(100, 0))?.result, 100)
    await session?.close()
  })

  scenario('is there for who waits at it when its object is collected', async () => {
    const device = await open()
    const { answer, gone } = await waitAtForgotten(device)
    let isAnswered = false
    void answer.then(() => (isAnswered = true))
    for (let i = 0; i < 200 && gone.deref() !== undefined; i++) {
      // What deref() answered is kept until the turn is over.
      await turn()
      globalThis.gc?.()
    }
    assert.equal(gone.deref(), undefined)
    assert.equal(isAnswered, false)
    await device.close()
    assert.deepEqual(outcome(await answer), heldBack)
  })

  scenario('serves many sets one after another, of one device or of four', async () => {
    const devices = await Promise.all([0, 1, 2, 3].map(open))
    for (let i = 0; i < 50; i++) {
      const members = devices.slice(0, 1 + (i % 4))
      for (const states of [
        [RUNNING_P2P, STOP],
        [RUNNING_P2P, 2],
      ]) {
        const barrier = addon.barrier(members.length)
        const answers = members.map(device => device.setStates(states, { barrier, before: 1 }))
        for (const { done } of await Promise.all(answers)) assert.equal(done, 2)
      }
    }
  })
})
