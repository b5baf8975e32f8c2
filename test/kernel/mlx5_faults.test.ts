// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { isVfioError } from '#lib/errors.js'
import { migrate, openDevice, type Device, type StateName } from '#lib/index.js'
import { pairOf } from '../unit/migration/pair.ts'
import { openBottle, openBottledPair, type Bottle } from './bottle.ts'
import type { BottledFunction, Outcome, Point } from './bottled.ts'
import { field, imageFlags, longField } from './mlx5_image.ts'
import { imagesOf, loadAll, readAll, saveAll } from './mlx5_stream.ts'

const size = 64 * 1024

/** docs/firmware-model.md: what a caller who waits for the command is told. */
const statuses: Readonly<Record<string, readonly number[]>> = {
  EIO: [0x1, 0x4, 0x50, 0x51, 0x77],
  EINVAL: [0x2, 0x3, 0x5, 0x9, 0xa, 0x10, 0x30, 0x40],
  EBUSY: [0x6],
  EAGAIN: [0x7, 0xf],
  ENOMEM: [0x8],
}

const hex = (status: number): string => `0x${status.toString(16)}`

/** How a promise was rejected: the kernel's errno, and the state that the device was left in. */
async function failureOf(promise: Promise<unknown>): Promise<{ code: string; state: StateName | undefined }> {
  const error: unknown = await promise.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  assert.ok(isVfioError(error), String(error))
  return { code: error.code, state: error.state }
}

describe('a firmware that fails', () => {
  let bottle: Bottle
  let bottled: BottledFunction
  let device: Device

  before(async () => {
    bottle = await openBottle({ size, functions: 1 })
    bottled = bottle.functions[0] ?? assert.fail()
    device = await openDevice(bottled.address)
  })
  afterEach(async () => {
    await device.reset()
    assert.equal(await device.state(), 'RUNNING')
    assert.deepEqual(await bottled.pendingFaults(), [])
    assert.deepEqual(await bottle.objects(), { pds: 0, mkeys: 0 })
  })
  after(async () => {
    await device.close()
    await bottle[Symbol.asyncDispose]()
  })

  for (const [errno, those] of Object.entries(statuses)) {
    it(`answers ${errno} to a caller that waits, for the status ${those.map(hex).join(', ')}`, async () => {
      for (const status of those) {
        await bottled.fault('QUERY', { status })
        assert.equal((await failureOf(device.stopCopyBytes())).code, errno, hex(status))
      }
      assert.equal(await device.stopCopyBytes(), 80 + size)
    })
  }

  it('answers the errno of its driver when the command did not even come back', async () => {
    await bottled.fault('QUERY', { errno: 'ETIMEDOUT' })
    assert.equal((await failureOf(device.stopCopyBytes())).code, 'ETIMEDOUT')
  })

  it('answers at the execution that the fault was put on, and not before', async () => {
    await bottled.fault('QUERY', { status: 6 }, 3)
    await bottled.fault('QUERY', { errno: 'ENOLINK' }, 2)
    assert.deepEqual(await bottled.pendingFaults(), ['QUERY 3 status 0x6', 'QUERY 2 errno 67'])
    await device.stopCopyBytes()
    const codes = [await failureOf(device.stopCopyBytes()), await failureOf(device.stopCopyBytes())]
    assert.deepEqual(
      codes.map(({ code }) => code),
      ['ENOLINK', 'EBUSY'],
    )
  })

  const arcs: readonly (readonly [Point, StateName, StateName, StateName])[] = [
    ['SUSPEND_INITIATOR', 'RUNNING', 'STOP', 'RUNNING'],
    ['SUSPEND_RESPONDER', 'RUNNING', 'STOP', 'RUNNING_P2P'],
    ['RESUME_RESPONDER', 'STOP', 'RUNNING', 'STOP'],
    ['RESUME_INITIATOR', 'STOP', 'RUNNING', 'RUNNING_P2P'],
    ['QUERY', 'STOP', 'STOP_COPY', 'STOP'],
    ['ALLOC_PD', 'RUNNING', 'PRE_COPY', 'RUNNING'],
    ['CREATE_MKEY', 'RUNNING', 'PRE_COPY', 'RUNNING'],
    ['ALLOC_PD', 'STOP', 'RESUMING', 'STOP'],
  ]
  for (const [point, from, to, left] of arcs) {
    it(`leaves ${left} when ${point} fails on the way from ${from} to ${to}, which then can be gone`, async () => {
      await device.setState(from)
      await bottled.fault(point, { status: 6 })
      assert.deepEqual(await failureOf(device.setState(to)), { code: 'EBUSY', state: left })
      await device.setState(to)
      assert.equal(await device.state(), to)
    })
  }

  it('ends the session when the initial image fails, whatever the status, but for 0x9', async () => {
    for (const status of Object.values(statuses).flat()) {
      await bottled.fault('SAVE', { status })
      await device.setState('PRE_COPY')
      if (status === 9) {
        // Waits until the SAVE has ended: a read that already waits is not woken by this status.
        assert.equal((await device.precopyInfo()).initialBytes, 24)
        assert.equal((await readAll(device, 'idle')).length, 24)
      } else assert.equal((await failureOf(readAll(device, 'idle'))).code, 'ENODEV', hex(status))
      await device.reset()
    }
  })

  it('ends the session when the final image fails, whatever the status', async () => {
    for (const outcome of [{ status: 9 }, { status: 1 }, { errno: 'ETIMEDOUT' }] satisfies Outcome[]) {
      await device.setState('PRE_COPY')
      await readAll(device, 'idle')
      await bottled.fault('SAVE', outcome)
      await device.setState('STOP_COPY')
      assert.equal((await failureOf(readAll(device, 'end'))).code, 'ENODEV')
      await device.reset()
    }
  })

  it('answers EIO to leaving pre-copy when the last SAVE of it fails, and the device wants a reset', async () => {
    await device.setState('PRE_COPY')
    await readAll(device, 'idle')
    await bottled.fault('SAVE', { status: 1 })
    assert.equal((await failureOf(device.setState('RUNNING'))).code, 'EIO')
    await assert.rejects(device.setState('RUNNING'), { code: 'ERR_VFIO_POISONED' })
  })

  it('leaves pre-copy all the same when the last SAVE of it has the status 0x9', async () => {
    await device.setState('PRE_COPY')
    await readAll(device, 'idle')
    await bottled.fault('SAVE', { status: 9 })
    await device.setState('RUNNING')
  })

  it('answers the errno of a QUERY in pre-copy, which goes on all the same', async () => {
    await device.setState('PRE_COPY')
    await readAll(device, 'idle')
    await bottled.step(1)
    await bottled.fault('QUERY', { status: 8 })
    assert.equal((await failureOf(device.precopyInfo())).code, 'ENOMEM')
    await device.precopyInfo()
    assert.equal((await readAll(device, 'idle')).length, 16 + 80 + 4096)
  })

  it('fails the write that ends an image which it cannot load', async () => {
    const stream = await saveAll(device)
    await device.reset()
    for (const [status, code] of [
      [1, 'EIO'],
      [9, 'EINVAL'],
      [8, 'ENOMEM'],
    ] as const) {
      await bottled.fault('LOAD', { status })
      await assert.rejects(loadAll(device, stream), { code })
      assert.equal(await device.state(), 'RESUMING')
      await device.reset()
    }
    await loadAll(device, stream)
  })

  it('that is asked for what it does not know, or never, says EINVAL', async () => {
    for (const line of [
      'NOTHING 1 status 1',
      'SAVE 0 status 1',
      'SAVE 1 status 0',
      'SAVE 1 status 256',
      'SAVE 1 errno EWHAT',
      'SAVE 1 state 1',
      'SAVE one status 1',
      'SAVE 1',
      'SAVE 1 hold it',
      'ALLOC_PD 1 status 1',
    ]) {
      await assert.rejects(bottled.write('faults', line), { code: 'EINVAL' }, line)
    }
  })
})

describe('a firmware that gives up pre-copy with the status 0x9', () => {
  for (const [which, nth] of [
    ['first', 1],
    ['second', 2],
    ['third', 3],
  ] as const) {
    it(`in the ${which} SAVE says nothing, and the whole state arrives`, async () => {
      await using pair = await openBottledPair({ size })
      const { from, to, source, destination } = pair
      await from.fault('SAVE', { status: 9 }, nth)
      await source.setState('PRE_COPY')
      const parts = []
      for (let round = 1; round < nth; round++) {
        parts.push(await readAll(source, 'idle'))
        await from.step(3)
        await source.precopyInfo()
      }
      // Waits for the SAVE that fails: nothing is there to be read.
      assert.deepEqual((await source.precopyInfo()).dirtyBytes, 0)
      await from.step(3)
      await source.setState('STOP_COPY')
      parts.push(await readAll(source, 'end'))
      const stream = Buffer.concat(parts)
      const last = imagesOf(stream).at(-1) ?? assert.fail()
      assert.deepEqual(
        [imagesOf(stream).length, field(last, 'flags'), longField(last, 'base'), field(last, 'pages')],
        [nth, imageFlags.lastChunk | imageFlags.final, 0n, 16],
      )
      await loadAll(destination, stream)
      assert.deepEqual(await to.digest(), await from.digest())
    })
  }

  it('in the first SAVE, while somebody waits for its image, is idle: poll(2) does not tell', async () => {
    await using pair = await openBottledPair({ size, latency: { SAVE: 100_000 } })
    const { from, source } = pair
    await from.fault('SAVE', { status: 9 })
    await source.setState('PRE_COPY')
    assert.equal((await readAll(source, 'idle')).length, 24)
    await source.setState('STOP_COPY')
    assert.equal((await readAll(source, 'end')).length, 16 + 80 + size)
  })

  it('is seen by a migration, by the image that does not come: the whole state is moved at the stop', async () => {
    await using pair = await openBottledPair({ size, rate: 10 * size })
    const { from, to, source, destination } = pair
    await to.set({ rate: 0 })
    await from.fault('SAVE', { status: 9 }, 2)
    const report = await migrate({ from: source, to: destination })
    const { precopyBytes, bytes, gaveUpPrecopy } = pairOf(report)
    assert.deepEqual([precopyBytes, gaveUpPrecopy], [24 + 16 + 80 + size, true])
    assert.equal(bytes - precopyBytes, 16 + 80 + size)
    assert.deepEqual(await from.pendingFaults(), [])
    assert.deepEqual(await to.digest(), await from.digest())
  })
})
