// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { kernel } from './kernel.js'
import {
  E,
  PRE_COPY,
  RESUMING,
  RUNNING,
  RUNNING_P2P,
  STOP,
  STOP_COPY,
  drain,
  enter,
  open,
  openInGroup,
  scenario,
} from './scenario.js'

/** True when `promise` has not settled by the time that every other ready callback ran. */
async function pending(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol()
  return (await Promise.race([promise, new Promise(resolve => setImmediate(resolve, open))])) === open
}

describe('a call that hangs in the kernel', () => {
  scenario('holds up neither other devices nor the file system', async () => {
    const devices = await Promise.all([0, 1, 2, 3].map(open))
    const [last] = devices.splice(3)
    // One more than libuv's pool has threads would not be needed to see it, were they used.
    kernel.hold('*', 'SET_STATE')
    kernel.hold('*', 'SET_STATE')
    kernel.hold('*', 'SET_STATE')
    const hanging = devices.map(device => device.setStates([RUNNING_P2P]))
    kernel.waitFor('held SET_STATE', 3)
    assert.equal(await last?.getState(), RUNNING)
    const texts = await Promise.all(Array.from({ length: 8 }, () => readFile('/proc/self/stat', 'utf8')))
    assert.equal(texts.length, 8)
    assert.ok(await pending(Promise.race(hanging)))
    kernel.release('SET_STATE')
    assert.deepEqual(
      (await Promise.all(hanging)).map(answer => answer.result),
      [0, 0, 0],
    )
  })

  scenario('is overtaken by reset', async () => {
    const device = await open()
    kernel.hold(0, 'SET_STATE')
    const hanging = device.setStates([RUNNING_P2P, STOP])
    kernel.waitFor('held SET_STATE')
    assert.equal(await device.reset(), 0)
    assert.ok(await pending(hanging))
    kernel.release('SET_STATE')
    await hanging
    assert.deepEqual(kernel.lines('RESET', 'SET_STATE'), [
      'RESET 0 = 0',
      'SET_STATE 0 5 = 0',
      'SET_STATE 0 1 = 0',
    ])
  })

  scenario('is waited for by close, which takes nothing from under it', async () => {
    const device = await open()
    kernel.hold(0, 'SET_STATE')
    const hanging = device.setStates([RUNNING_P2P])
    kernel.waitFor('held SET_STATE')
    const closing = device.close()
    assert.ok(await pending(closing))
    assert.deepEqual(kernel.files(), ['device', 'iommufd'])
    kernel.release('SET_STATE')
    assert.equal((await hanging).result, 0)
    await closing
    assert.deepEqual(kernel.files(), [])
  })

  scenario('keeps what is behind it waiting, in order', async () => {
    const device = await open()
    kernel.hold(0, 'SET_STATE')
    const answers = [device.setStates([RUNNING_P2P]), device.getState(), device.dataSize()]
    kernel.waitFor('held SET_STATE')
    assert.ok(await pending(Promise.race(answers)))
    kernel.release('SET_STATE')
    await Promise.all(answers)
    assert.deepEqual(kernel.lines('SET_STATE', 'GET_STATE', 'DATA_SIZE'), [
      'SET_STATE 0 5 = 0',
      'GET_STATE 0 = 0',
      'DATA_SIZE 0 = 0',
    ])
  })

  scenario('is the last: what waited behind it is cancelled by close', async () => {
    const device = await open()
    kernel.hold(0, 'GET_STATE')
    const answers = [device.getState(), device.dataSize(), device.migrationFlags()]
    kernel.waitFor('held GET_STATE')
    const closing = device.close()
    kernel.release('GET_STATE')
    assert.deepEqual(await Promise.all(answers), [RUNNING, -E.ECANCELED, -E.ECANCELED])
    await closing
    assert.deepEqual(kernel.lines('DATA_SIZE', 'MIGRATION'), [])
  })

  scenario('in a session holds up neither its device nor another session', async () => {
    const [device, other] = [await open(0), await open(1)]
    const [resuming, saving] = [await enter(device, RESUMING), await enter(other, STOP_COPY)]
    kernel.hold(0, 'write')
    const writing = resuming.write(new Uint8Array(10))
    kernel.waitFor('held write')
    assert.equal(await device.getState(), RESUMING)
    assert.equal((await saving.read(10, 0)).result, 10)
    kernel.release('write')
    assert.equal(await writing, 10)
  })

  scenario('in reset is waited for by close', async () => {
    const device = await open()
    kernel.hold(0, 'RESET')
    const resetting = device.reset()
    kernel.waitFor('held RESET')
    const closing = device.close()
    assert.ok(await pending(closing))
    kernel.release('RESET')
    assert.equal(await resetting, 0)
    await closing
  })

  scenario('in SET does not keep the data of the session from flowing', async () => {
    const device = await open()
    const session = await enter(device, PRE_COPY)
    kernel.hold(0, 'SET_STATE')
    const hanging = device.setStates([RUNNING])
    kernel.waitFor('held SET_STATE')
    assert.ok((await drain(session)).length > 65536)
    kernel.release('SET_STATE')
    await hanging
  })

  scenario('in SET keeps precopyInfo waiting: both are of the control lane', async () => {
    const device = await open()
    const session = await enter(device, PRE_COPY)
    kernel.hold(0, 'GET_STATE')
    const [state, info] = [device.getState(), session.precopyInfo()]
    kernel.waitFor('held GET_STATE')
    assert.ok(await pending(info))
    kernel.release('GET_STATE')
    await Promise.all([state, info])
    assert.deepEqual(kernel.lines('GET_STATE', 'PRECOPY_INFO'), ['GET_STATE 0 = 0', 'PRECOPY_INFO 0 = 0'])
  })

  scenario('in opening holds up nobody else', async () => {
    kernel.hold(0, 'BIND')
    const opening = open(0)
    kernel.waitFor('held BIND')
    assert.equal(await (await open(1)).getState(), RUNNING)
    assert.ok(await pending(opening))
    kernel.release('BIND')
    assert.equal(await (await opening).getState(), RUNNING)
  })

  scenario('in GROUP_GET_DEVICE_FD holds up no other device of the group that is open', async () => {
    const device = await openInGroup(0)
    kernel.hold('*', 'GROUP_GET_DEVICE_FD')
    const opening = openInGroup(1)
    kernel.waitFor('held GROUP_GET_DEVICE_FD')
    assert.equal(await device.getState(), RUNNING)
    kernel.release('GROUP_GET_DEVICE_FD')
    await opening
  })

  scenario('for 5 s that nobody shortens is lived through', async () => {
    const device = await open()
    kernel.hold(0, 'SET_STATE')
    const hanging = device.setStates([RUNNING_P2P])
    kernel.waitFor('held SET_STATE')
    assert.equal(await (await open(1)).getState(), RUNNING)
    const { result, times } = await hanging
    assert.equal(result, 0)
    const [issued = 0, answered = 0] = times
    assert.ok(answered - issued >= 4900)
  })
})

describe('cancelling', () => {
  scenario('wakes a waiting read, which answers ECANCELED before the fd is closed', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = await enter(device, STOP_COPY)
    await session.read(1000, 0)
    const waiting = session.read(1000, 0)
    kernel.waitFor('poll saving')
    await session.close()
    const { result, data } = await waiting
    assert.deepEqual([result, data.length], [-E.ECANCELED, 0])
    assert.deepEqual(kernel.files(), ['device', 'iommufd'])
    assert.equal(await device.getState(), STOP_COPY)
  })

  scenario('reaches the reads behind the one that waits', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = await enter(device, STOP_COPY)
    await session.read(1000, 0)
    const reads = [1, 2, 3].map(() => session.read(1000, 0))
    kernel.waitFor('poll saving')
    await session.close()
    assert.deepEqual(
      (await Promise.all(reads)).map(answer => answer.result),
      Array(3).fill(-E.ECANCELED),
    )
  })

  scenario('reaches a read that waits for a moment only', async () => {
    const session = await enter(await open(), PRE_COPY)
    await drain(session)
    const waiting = session.read(1000, 3_600_000)
    kernel.waitFor('poll saving')
    await session.close()
    assert.equal((await waiting).result, -E.ECANCELED)
  })

  scenario('comes with the close of the device, which ends its sessions', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = await enter(device, STOP_COPY)
    await session.read(1000, 0)
    const waiting = session.read(1000, 0)
    kernel.waitFor('poll saving')
    await device.close()
    assert.equal((await waiting).result, -E.ECANCELED)
    assert.deepEqual(kernel.files(), [])
    assert.equal(kernel.lines('close')[0], 'close saving')
  })

  scenario('does not interrupt a read that is in the kernel: close waits for it', async () => {
    const device = await open()
    const session = await enter(device, STOP_COPY)
    kernel.hold(0, 'read')
    const reading = session.read(1000, 0)
    kernel.waitFor('held read')
    const closing = session.close()
    assert.ok(await pending(closing))
    kernel.release('read')
    assert.equal((await reading).result, 1000)
    await closing
  })

  scenario('ends a write between two system calls', async () => {
    const session = await enter(await open(), RESUMING)
    kernel.rule(0, 'write', 'cut', 10)
    kernel.hold(0, 'write')
    const writing = session.write(new Uint8Array(1000))
    kernel.waitFor('held write')
    const closing = session.close()
    kernel.release('write')
    assert.equal(await writing, -E.ECANCELED)
    await closing
    assert.deepEqual(kernel.lines('write'), ['write 0 = 10'])
  })
})
