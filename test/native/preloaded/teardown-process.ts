// SPDX-License-Identifier: Apache-2.0
// A process that comes to its end, in a way that argv names, while its device does what argv names.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { addon } from './addon.js'
import { kernel } from './kernel.js'

export type Ending =
  | 'worker.terminate'
  | 'process.exit'
  | 'an uncaught throw'
  | 'its natural end'
  | 'SIGTERM'
  | 'SIGTERM with a handler'
export type Occupation = 'idle' | 'in a read that waits' | 'in a call of 5 s'

const STOP_COPY = 3

/** Brings the device into its occupation; answers how that is ended in good order. */
async function occupy(occupation: Occupation): Promise<() => Promise<void>> {
  const { calls: device } = await addon.openCdev('/dev/vfio/devices/vfio0', '/dev/iommu', undefined)
  assert.ok(device)
  if (occupation === 'idle') return async () => {}
  if (occupation === 'in a call of 5 s') {
    kernel.hold(0, 'SET_STATE')
    const hanging = device.setStates([STOP_COPY])
    kernel.waitFor('held SET_STATE')
    return async () => {
      setImmediate(() => kernel.release('SET_STATE'))
      assert.equal((await hanging).result, 0)
    }
  }
  kernel.set(0, { autosave: false })
  const { session } = await device.setStates([STOP_COPY])
  assert.ok(session)
  await session.read(1000, 0)
  const waiting = session.read(1000, 0)
  kernel.waitFor('poll saving')
  return async () => {
    await session.close()
    assert.equal((await waiting).result, -125)
  }
}

const ready = (): void => void writeSync(1, 'ready\n')
const stay = (): void => void setInterval(() => {}, 1 << 30)

async function terminateWorker(occupation: Occupation): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: occupation })
  await once(worker, 'message')
  ready()
  await worker.terminate()
  if (occupation === 'in a call of 5 s') {
    assert.deepEqual(kernel.files(), ['device', 'iommufd'])
    kernel.release('SET_STATE')
  }
  await kernel.until('close iommufd')
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
