// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { type MachineFlags, nextState, pathTo, stateNames } from '#lib/kernel/state.js'
import { monotonicClock } from '#lib/clock.js'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import {
  E,
  PRE_COPY,
  PRE_COPY_P2P,
  RESUMING,
  RUNNING,
  RUNNING_P2P,
  STOP,
  STOP_COPY,
  enter,
  open,
  scenario,
} from './scenario.js'

/** The requests for and of the state, in their order. */
function asked(): string[] {
  return kernel.lines('GET_STATE', 'SET_STATE')
}

describe('setStatesFrom', () => {
  scenario('asks for the state and sets it in one breath', async () => {
    const device = await open()
    const answer = await device.setStatesFrom?.([RUNNING_P2P, STOP], RUNNING)
    assert.deepEqual(
      [answer?.result, answer?.done, answer?.found, answer?.times.length],
      [0, 2, undefined, 3],
    )
    assert.deepEqual(asked(), ['GET_STATE 0 = 0', 'SET_STATE 0 5 = 0', 'SET_STATE 0 1 = 0'])
  })

  scenario('sets nothing on a device that is in another state, and says which', async () => {
    const device = await open()
    const answer = await device.setStatesFrom?.([RUNNING_P2P, RUNNING], STOP)
    assert.deepEqual([answer?.result, answer?.done, answer?.found, answer?.times.length], [0, 0, RUNNING, 1])
    assert.deepEqual(asked(), ['GET_STATE 0 = 0'])
  })

  scenario('sets nothing where the state cannot be asked', async () => {
    const device = await open()
    kernel.rule(0, 'GET_STATE', 'fail', E.EIO)
    const answer = await device.setStatesFrom?.([RUNNING_P2P], RUNNING)
    assert.deepEqual([answer?.done, answer?.found], [0, -E.EIO])
    assert.equal(kernel.lines('SET_STATE').length, 0)
  })

  scenario('breaks the barrier of the others where the device is in another state', async () => {
    const [one, two] = [await open(0), await open(1)]
    const barrier = addon.barrier(2)
    const waiting = one.setStates([RUNNING_P2P, STOP], { barrier, before: 1 })
    const moved = await two.setStatesFrom?.([RUNNING_P2P, STOP], STOP, { barrier, before: 1 })
    assert.equal(moved?.found, RUNNING)
    assert.deepEqual([(await waiting).result, (await waiting).done], [0, 1])
  })
})

describe('setStates', () => {
  scenario('sets one state after another and answers what each took', async () => {
    const device = await open()
    const before = monotonicClock.now()
    const answer = await device.setStates([RUNNING_P2P, STOP, STOP_COPY])
    const after = monotonicClock.now()
    assert.deepEqual(kernel.lines('SET_STATE'), [
      'SET_STATE 0 5 = 0',
      'SET_STATE 0 1 = 0',
      'SET_STATE 0 3 = 0',
    ])
    assert.deepEqual([answer.result, answer.done, answer.arc, answer.times.length], [0, 3, 3, 4])
    const moments = [before, ...answer.times, after]
    assert.deepEqual(
      moments,
      [...moments].sort((a, b) => a - b),
    )
    await answer.session?.close()
  })

  scenario('stops at the first that fails and times that one too', async () => {
    const device = await open()
    kernel.rule(0, 'SET_STATE', 'fail', E.EIO, 2)
    const answer = await device.setStates([RUNNING_P2P, STOP, STOP_COPY])
    assert.deepEqual([answer.result, answer.done, answer.arc, answer.times.length], [-E.EIO, 1, 1, 3])
    assert.equal(answer.session, undefined)
    assert.equal(kernel.lines('SET_STATE').length, 2)
    assert.equal(await device.getState(), RUNNING_P2P)
  })

  scenario('counts the arcs of a device over its whole life', async () => {
    const device = await open()
    assert.equal((await device.setStates([RUNNING_P2P, STOP])).arc, 2)
    kernel.rule(0, 'SET_STATE', 'fail', E.EIO)
    assert.equal((await device.setStates([RUNNING_P2P])).arc, 2)
    assert.equal((await device.setStates([RUNNING_P2P, RUNNING])).arc, 4)
  })

  scenario('gives the path to the kernel in one request when it is asked for the end', async () => {
    const device = await open()
    const session = await enter(device, STOP_COPY)
    assert.deepEqual(kernel.lines('SET_STATE'), ['SET_STATE 0 3 = 0'])
    await session.close()
  })

  scenario('answers the errno when the state moved and the fd did not come', async () => {
    const device = await open()
    kernel.rule(0, 'SET_STATE', 'after', E.EMFILE)
    const answer = await device.setStates([PRE_COPY])
    assert.deepEqual([answer.result, answer.done, answer.session], [-E.EMFILE, 0, undefined])
    assert.equal(await device.getState(), PRE_COPY)
  })

  scenario('keeps the session that an earlier arc opened when a later one fails', async () => {
    const device = await open()
    kernel.rule(0, 'SET_STATE', 'fail', E.EIO, 2)
    const { result, session } = await device.setStates([PRE_COPY, PRE_COPY_P2P])
    assert.equal(result, -E.EIO)
    assert.equal((await session?.read(100, 0))?.result, 100)
    await session?.close()
  })

  scenario('opens no second session on the way through the saving group', async () => {
    const device = await open()
    const session = await enter(device, PRE_COPY)
    const later = await device.setStates([PRE_COPY_P2P, STOP_COPY])
    assert.deepEqual([later.result, later.session], [0, undefined])
    await session.close()
  })

  scenario('answers the last of the sessions that one list opened', async () => {
    const device = await open()
    const session = await enter(device, STOP_COPY, STOP, RESUMING)
    assert.equal(await session.write(new Uint8Array(10)), 10)
    await session.close()
    await kernel.until('close saving')
    assert.deepEqual(kernel.files(), ['device', 'iommufd'])
  })

  scenario('does nothing for an empty list', async () => {
    const device = await open()
    const answer = await device.setStates([])
    assert.deepEqual([answer.result, answer.done, answer.arc], [0, 0, 0])
    assert.deepEqual(kernel.lines('SET_STATE'), [])
  })

  scenario('answers EINVAL for a state that does not exist, and for ERROR', async () => {
    const device = await open()
    assert.equal((await device.setStates([8])).result, -E.EINVAL)
    assert.equal((await device.setStates([0])).result, -E.EINVAL)
    assert.equal(await device.getState(), RUNNING)
  })
})

const machines: readonly (readonly [number, MachineFlags])[] = [
  [1, { p2p: false, preCopy: false }],
  [3, { p2p: true, preCopy: false }],
  [5, { p2p: false, preCopy: true }],
  [7, { p2p: true, preCopy: true }],
]

describe('the state machine of the fake kernel', () => {
  for (const [number, flags] of machines) {
    scenario(`agrees with the table of the library for the flags ${number}`, async () => {
      const device = await open()
      kernel.set(0, { flags: number })
      assert.equal(await device.migrationFlags(), number)
      for (const [from, name] of stateNames.entries()) {
        for (const [to, target] of stateNames.entries()) {
          kernel.set(0, { state: from })
          const path = name === target ? [] : pathTo(name, target, flags)
          assert.equal(name === target || nextState(name, target, flags) !== undefined, path !== undefined)
          const answer = await device.setStates([to])
          assert.equal(answer.result, path === undefined ? -E.EINVAL : 0, `${name} to ${target}`)
          assert.equal(await device.getState(), path === undefined ? from : to, `${name} to ${target}`)
          await answer.session?.close()
        }
      }
    })
  }

  scenario('is asked one step at a time along the path of the library', async () => {
    const device = await open()
    const path = pathTo('RUNNING', 'RESUMING', { p2p: true, preCopy: true })?.map(name =>
      stateNames.indexOf(name),
    )
    assert.deepEqual(path, [RUNNING_P2P, STOP, RESUMING])
    const session = await enter(device, ...path)
    await session.close()
  })
})
