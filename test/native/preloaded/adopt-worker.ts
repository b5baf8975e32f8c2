// SPDX-License-Identifier: Apache-2.0
import { parentPort, workerData } from 'node:worker_threads'
import { addon } from './addon.js'

parentPort?.postMessage(addon.adopt(workerData as number, {}).result)
