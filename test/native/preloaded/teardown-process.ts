// SPDX-License-Identifier: Apache-2.0
// A process that comes to its end, in a way that argv names, while its device does what argv names.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { openSync, writeSync } from 'node:fs'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import type { DeviceCalls } from '#lib/backend/seam.js'
import { errno } from '#lib/kernel/errno.js'
import { addon } from './addon.js'
import { kernel } from './kernel.js'

export type Ending =
  | 'worker.terminate'
  | 'process.exit'
  | 'an uncaught throw'
  | 'its natural end'
  | 'SIGTERM'
  | 'SIGTERM with a handler'
export type Occupation =
  | 'idle'
  | 'in a read that waits'
  | 'in a pump that waits'
  | 'at a barrier'
  | 'in a call of 5 s'
  | 'in a write of 5 s'
  | 'in a write of lent memory'

/** Long enough for the end of any process; one that waits for the call lives to see it expire, and says so. */
const holdMs = 5000 * Number(process.env.VFIO_TEST_SLOWNESS ?? 1)

const STOP_COPY = 3
const RESUMING = 4
const PRE_COPY = 6
const PRE_COPY_P2P = 7

/** The calls that hang, in the order in which they come back. */
const held: Readonly<Partial<Record<Occupation, readonly string[]>>> = {
  'in a call of 5 s': ['SET_STATE'],
  'in a write of 5 s': ['GET_STATE', 'write'],
  'in a write of lent memory': ['GET_STATE', 'write'],
}

/** What the lane of another device has read, of which one is released already. */
async function lentMemory(): Promise<[Uint8Array, Uint8Array]> {
  const { calls: device } = await addon.openCdev('/dev/vfio/devices/vfio1', '/dev/iommu', undefined)
  kernel.set(1, { image: 3 << 20 })
  const { session } = (await device?.setStates([STOP_COPY])) ?? {}
  assert.ok(device && session)
  const read = async (): Promise<Uint8Array> => (await session.read(1 << 20, 0)).data
  const [first, second, third] = [await read(), await read(), await read()]
  session.release?.(third)
  await device.close()
  return [first, second]
}

/** A write of several pieces, or of memory that is lent, and another behind it. */
async function beginWrite(device: DeviceCalls, occupation: Occupation): Promise<Promise<number>[]> {
  const isLent = occupation === 'in a write of lent memory'
  const [data, behind] = isLent ? await lentMemory() : [new Uint8Array(3 << 20), new Uint8Array(10)]
  const { session } = await device.setStates([RESUMING])
  assert.ok(session)
  kernel.hold(0, 'write')
  const writes = [session.write(data), session.write(behind)]
  kernel.waitFor('held write')
  if (isLent) session.release?.(data)
  kernel.hold(0, 'GET_STATE')
  const state = device.getState()
  kernel.waitFor('held GET_STATE')
  return [...writes, state]
}

function beginArc(device: DeviceCalls): Promise<unknown>[] {
  kernel.hold(0, 'SET_STATE')
  const arcs = device.setStates([STOP_COPY])
  kernel.waitFor('held SET_STATE')
  return [arcs]
}

/** Brings calls into the kernel and leaves them there, with one behind; answers how they come back in good order. */
async function hang(device: DeviceCalls, occupation: Occupation): Promise<() => Promise<void>> {
  const operations = held[occupation] ?? []
  const hanging = operations.includes('write') ? await beginWrite(device, occupation) : beginArc(device)
  const behind = device.dataSize()
  return async () => {
    setImmediate(() => {
      for (const operation of operations) kernel.release(operation)
    })
    await Promise.all(hanging)
    assert.equal(await behind, 65536)
  }
}

/** Brings a read into poll(2), where nothing will wake it. */
async function wait(device: DeviceCalls): Promise<() => Promise<void>> {
  kernel.set(0, { autosave: false })
  const { session } = await device.setStates([STOP_COPY])
  assert.ok(session)
  await session.read(1000, 0)
  const waiting = session.read(1000, 0)
  kernel.waitFor('poll saving')
  return async () => {
    await session.close()
    assert.equal((await waiting).result, -errno.ECANCELED)
  }
}

/** Likewise a pump. */
async function pump(device: DeviceCalls): Promise<() => Promise<void>> {
  kernel.set(0, { autosave: false })
  const { session } = await device.setStates([STOP_COPY])
  const pumping = session?.pumpTo?.(openSync('/dev/null', 'w'), Number.MAX_SAFE_INTEGER, 0, 0)
  assert.ok(session && pumping)
  kernel.waitFor('poll saving')
  return async () => {
    await session.close()
    assert.equal((await pumping.done).result, -errno.ECANCELED)
  }
}

/** Brings the device to a barrier where nobody will join it, with a session that nobody has seen yet. */
async function waitForOthers(device: DeviceCalls): Promise<() => Promise<void>> {
  const barrier = addon.barrier(2)
  const answer = device.setStates([PRE_COPY, PRE_COPY_P2P, STOP_COPY], { barrier, before: 2 })
  await kernel.until('SET_STATE 0 7 = 0')
  return async () => {
    barrier.break()
    const { done, session } = await answer
    assert.equal(done, 2)
    await session?.close()
  }
}

/** Brings the device into its occupation; answers how that is ended in good order. */
async function occupy(occupation: Occupation): Promise<() => Promise<void>> {
  const { calls: device } = await addon.openCdev('/dev/vfio/devices/vfio0', '/dev/iommu', undefined)
  assert.ok(device)
  kernel.set('*', { hold: holdMs })
  if (held[occupation] !== undefined) return hang(device, occupation)
  if (occupation === 'at a barrier') return waitForOthers(device)
  if (occupation === 'in a pump that waits') return pump(device)
  return occupation === 'idle' ? async () => {} : wait(device)
}

const ready = (): void => void writeSync(1, 'ready\n')
const stay = (): void => void setInterval(() => {}, 1 << 30)

async function terminateWorker(occupation: Occupation): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: occupation })
  await once(worker, 'message')
  ready()
  await worker.terminate()
  for (const operation of held[occupation] ?? []) {
    assert.deepEqual(kernel.files().slice(0, 2), ['device', 'iommufd'])
    kernel.release(operation)
    await kernel.until(`${operation} 0`)
  }
  await kernel.until('close iommufd')
  assert.deepEqual(kernel.lines('DATA_SIZE'), [])
}

const endings: Readonly<
  Record<Exclude<Ending, 'worker.terminate'>, (finish: () => Promise<void>) => Promise<void> | void>
> = {
  'process.exit': () => process.exit(7),
  'an uncaught throw': () => void setImmediate(() => assert.fail('thrown on purpose')),
  'its natural end': finish => finish(),
  SIGTERM: stay,
  'SIGTERM with a handler': stay,
}

async function main(ending: Ending, occupation: Occupation): Promise<void> {
  if (ending === 'worker.terminate') return terminateWorker(occupation)
  const finish = await occupy(occupation)
  if (ending === 'SIGTERM with a handler') process.on('SIGTERM', () => process.exit(9))
  ready()
  await endings[ending](finish)
}

if (isMainThread) {
  await main(process.argv[2] as Ending, process.argv[3] as Occupation)
} else {
  await occupy(workerData as Occupation)
  parentPort?.postMessage('ready')
  stay()
}
