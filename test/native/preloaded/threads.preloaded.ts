// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import { RUNNING, open, scenario } from './scenario.js'

/** Runs `drive-worker.js` over the device `index`; answers how many bytes it moved. */
async function drive(index: number): Promise<number> {
  const worker = new Worker(new URL('drive-worker.js', import.meta.url), { workerData: index })
  const exit = once(worker, 'exit')
  const [bytes] = (await once(worker, 'message')) as [number]
  assert.deepEqual(await exit, [0])
  return bytes
}

describe('worker threads', () => {
  scenario('drive a device each, at the same time as this thread does', async () => {
    const device = await open(2)
    const driving = [drive(0), drive(1)]
    for (let i = 0; i < 50; i++) assert.equal(await device.getState(), RUNNING)
    const bytes = await Promise.all(driving)
    assert.deepEqual(bytes, [20 * 65576, 20 * 65576])
    assert.deepEqual(kernel.files(), ['device', 'iommufd'])
  })

  scenario('end with their devices open, and those are closed for them', async () => {
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(new URL('drive-worker.js', import.meta.url), { workerData: -1 })
      await once(worker, 'message')
      await worker.terminate()
    }
    await kernel.until('close iommufd', 5)
  })

  scenario('end with answers that they have not taken, and nothing is kept of those', async () => {
    kernel.set(0, { image: 8 << 20 })
    const worker = new Worker(new URL('deaf-worker.js', import.meta.url))
    await kernel.until('read 0 = ', 4)
    await worker.terminate()
    await kernel.until('close iommufd')
    // What is left of memory that was to be lent is for LeakSanitizer to find.
    assert.equal(addon.census().buffers, 0)
  })
})
