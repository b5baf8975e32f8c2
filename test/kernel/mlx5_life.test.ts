// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, MigrationError, openDevice } from '#lib/index.js'
import { pairOf } from '../unit/migration/pair.ts'
import { openBottle, openBottledPair, type Capabilities } from './bottle.ts'
import { eventually } from './bottle_wait.ts'
import type { BottledFunction } from './bottled.ts'
import { runChild } from './child.ts'
import { imagesOf, readAll } from './mlx5_stream.ts'

const size = 64 * 1024

/** One function, bound and closed. */
async function openOne(): Promise<{ bottled: BottledFunction } & AsyncDisposable> {
  const bottle = await openBottle({ size, functions: 1 })
  const [bottled] = bottle.functions
  assert.ok(bottled)
  return { bottled, [Symbol.asyncDispose]: () => bottle[Symbol.asyncDispose]() }
}

describe('the state of a bottled mlx5 function', () => {
  it('begins with the first open, and is gone after the last close', async () => {
    await using one = await openOne()
    const { bottled } = one
    const blank = await bottled.digest()
    assert.deepEqual([await bottled.resets(), await bottled.isRunning()], [0, false])
    const device = await openDevice(bottled.address)
    assert.deepEqual([await bottled.resets(), await bottled.isRunning()], [1, true])
    await bottled.step(7)
    assert.notEqual((await bottled.digest()).digest, blank.digest)
    await device.close()
    assert.deepEqual([await bottled.resets(), await bottled.isRunning()], [2, false])
    assert.deepEqual(await bottled.digest(), blank)
    await assert.rejects(bottled.step(1), { code: 'EBUSY' })
  })

  it('is blank after a reset, in whatever state the device was', async () => {
    await using one = await openOne()
    const { bottled } = one
    const blank = await bottled.digest()
    await using device = await openDevice(bottled.address)
    for (const state of ['RUNNING', 'STOP', 'STOP_COPY', 'RESUMING', 'PRE_COPY', 'PRE_COPY_P2P'] as const) {
      await bottled.step(7)
      await device.setState(state)
      await device.reset()
      assert.equal(await device.state(), 'RUNNING')
      assert.deepEqual([await bottled.digest(), await bottled.isRunning()], [blank, true], state)
    }
  })

  it('stays as it is when another process borrows the device and gives it back', async () => {
    await using one = await openOne()
    const { bottled } = one
    await using device = await openDevice(bottled.address)
    await bottled.step(7)
    const digest = await bottled.digest()
    const { code, stdout, stderr } = await runChild(
      'lent',
      ['cdev'],
      Object.values(device.lend()) as number[],
    )
    assert.deepEqual([code, stderr], [0, ''])
    const { bytes } = JSON.parse(stdout) as { bytes: string }
    assert.equal(imagesOf(Buffer.from(bytes, 'hex'))[0]?.length, 80 + size)
    assert.deepEqual([await bottled.digest(), await bottled.resets()], [digest, 1])
    await device.setState('RUNNING')
    await bottled.step(1)
  })

  it('has a size that is fixed while the function is open', async () => {
    await using one = await openOne()
    const { bottled } = one
    await using device = await openDevice(bottled.address)
    await assert.rejects(bottled.set({ size: 1024 }), { code: 'EBUSY' })
    await device.close()
    await bottled.set({ size: 1024 })
    for (const wrong of [0, 1000, 1025, 2 ** 31])
      await assert.rejects(bottled.set({ size: wrong }), { code: 'EINVAL' })
  })
})

describe('a bottled mlx5 function whose physical one goes away', () => {
  it('answers ENOTCONN until it is back, and has lost its session', async () => {
    await using pair = await openBottledPair({ size })
    const { bottle, source, destination } = pair
    await source.setState('PRE_COPY')
    await readAll(source, 'idle')
    await bottle.attach(false)
    await assert.rejects(source.precopyInfo(), { code: 'ENOTCONN' })
    await assert.rejects(readAll(source, 'idle'), { code: 'ENODEV' })
    await assert.rejects(source.setState('RUNNING'), { code: 'ENOTCONN' })
    await assert.rejects(destination.setState('STOP'), { code: 'ENOTCONN', state: 'RUNNING' })
    await assert.rejects(destination.stopCopyBytes(), { code: 'ENOTCONN' })
    await source.reset()
    await bottle.attach(true)
    await source.setState('STOP_COPY')
    assert.equal(imagesOf(await readAll(source, 'end')).length, 1)
    await destination.setState('STOP')
  })
})

describe('a bottled mlx5 function whose firmware hangs', () => {
  it('in a SET that a reset overtakes fails it with EIO, and runs afterwards', async () => {
    await using pair = await openBottledPair({ size })
    const { from, source } = pair
    await from.fault('SUSPEND_INITIATOR', 'hold')
    const path = source.setState('STOP').then(
      () => assert.fail('it stopped'),
      (error: unknown) => error as { code: string },
    )
    await from.isHeld('SUSPEND_INITIATOR')
    await source.reset()
    await from.release()
    assert.equal((await path).code, 'EIO')
    assert.equal(await source.state(), 'RUNNING')
    assert.ok(await from.isRunning())
    await source.setState('STOP')
  })

  it('in a SAVE holds up a reset until it is over', async () => {
    await using pair = await openBottledPair({ size })
    const { from, source } = pair
    await from.fault('SAVE', 'hold')
    await source.setState('PRE_COPY')
    await from.isHeld('SAVE')
    let isReset = false
    const reset = source.reset().then(() => (isReset = true))
    await eventually(async () => (await from.resets()) === 2)
    assert.equal(isReset, false)
    await from.release()
    await reset
    assert.equal(await source.state(), 'RUNNING')
    const [, save] = (await from.commands()).filter(({ name }) => name !== 'QUERY_HCA_CAP')
    assert.deepEqual([save?.name, save?.fields.status], ['SAVE', '0x4'])
  })

  it('in a LOAD of a migration that is given up leaves the source running as if nothing had been', async () => {
    await using pair = await openBottledPair({ size })
    const { from, to, source, destination } = pair
    await from.step(7)
    await to.fault('LOAD', 'hold', 1)
    const controller = new AbortController()
    const migration = migrate({ from: source, to: destination, signal: controller.signal }).then(
      () => assert.fail('it migrated'),
      (error: unknown) => error,
    )
    await to.isHeld('LOAD')
    controller.abort()
    await to.release()
    const error = await migration
    assert.ok(error instanceof MigrationError)
    // It was opened here: nobody minds that it is blank again.
    const { source: left, destination: blank } = pairOf(error.report)
    assert.deepEqual([left.wasReset, blank.wasReset], [false, true])
    assert.deepEqual([await source.state(), await destination.state()], ['RUNNING', 'RUNNING'])
    assert.ok(await from.isRunning())
    await from.step(1)
    assert.deepEqual(
      (await from.runs()).map(({ first, after }) => [first, after]),
      [[0n, 8n]],
    )
    await migrate({ from: source, to: destination })
    assert.deepEqual(await to.digest(), await from.digest())
  })

  it('in a SAVE holds up a close until it is over', async () => {
    await using pair = await openBottledPair({ size })
    const { from, source } = pair
    await from.fault('SAVE', 'hold')
    await source.setState('PRE_COPY')
    await from.isHeld('SAVE')
    const closed = source.close()
    await from.release()
    await closed
    assert.equal(await from.isRunning(), false)
  })
})

describe('a bottled mlx5 function that is not to migrate', () => {
  const missing: readonly Capabilities[] = [
    { migration: false },
    { migration_multi_load: false },
    { migration_tracking_state: false },
  ]
  for (const capabilities of missing) {
    it(`because its firmware lacks ${Object.keys(capabilities).join()} is an ordinary one`, async () => {
      await using bottle = await openBottle({ functions: 1, capabilities })
      await using device = await openDevice(bottle.functions[0]?.address ?? '')
      assert.equal(device.capabilities.stopCopy, false)
      await assert.rejects(device.state(), { code: 'ERR_VFIO_NOT_MIGRATABLE' })
    })
  }

  it('because nobody made it migratable says how to', async () => {
    await using bottle = await openBottle({ functions: 1, migratable: false })
    await using device = await openDevice(bottle.functions[0]?.address ?? '')
    assert.equal(device.capabilities.stopCopy, false)
    await assert.rejects(device.state(), { code: 'ERR_VFIO_NOT_MIGRATABLE', message: /migratable enable/ })
  })
})
