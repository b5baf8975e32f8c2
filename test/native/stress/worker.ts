// SPDX-License-Identifier: Apache-2.0
import { parentPort, workerData } from 'node:worker_threads'
import { Crew } from './crew.js'
import { Tally } from './tally.js'
import type { LifeInWorker } from './worker_life.js'

const { seed, devices, directory, memory, operationsPerLife, terminateAfter } = workerData as LifeInWorker
const crew = new Crew({ seed, devices, directory, tally: new Tally(memory) })
let begun = 0
await crew.work(operationsPerLife, () => {
  if (++begun === terminateAfter) parentPort?.postMessage('now')
})
await crew.finish()
