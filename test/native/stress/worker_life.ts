// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Dice } from './dice.js'
import { within } from './within.js'

/** What a worker is told. */
export interface LifeInWorker {
  readonly seed: readonly number[]
  readonly devices: readonly number[]
  readonly directory: string
  /** Of the tally. */
  readonly memory: SharedArrayBuffer
  readonly operationsPerLife: number
  /** After how many operations it asks to be terminated, and goes on. */
  readonly terminateAfter?: number
}

/** A life in a thread of its own: it comes to its natural end, or is terminated in the midst of everything. */
export async function liveInWorker(life: LifeInWorker): Promise<void> {
  const dice = new Dice(...life.seed, 1 << 20)
  const isCutShort = dice.oneIn(2)
  const terminateAfter = dice.below(life.operationsPerLife * life.devices.length)
  const worker = new Worker(new URL('worker.js', import.meta.url), {
    workerData: { ...life, ...(isCutShort && { terminateAfter }) },
  })
  const exit = once(worker, 'exit') as Promise<[number]>
  worker.on('message', () => void worker.terminate())
  const [code] = await within(exit, () => `the worker of devices ${life.devices.join(', ')}`, 60)
  if (code !== 0 && !isCutShort) throw new Error(`a worker ended with ${code}`)
}
