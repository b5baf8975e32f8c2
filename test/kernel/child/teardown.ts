// SPDX-License-Identifier: Apache-2.0
// Ends with a device open. Arguments: how to end, in the middle of what, and which device.
import { readdirSync, readlinkSync } from 'node:fs'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { openDevice } from '#lib/index.js'

const [ending = '', phase = '', uuid = ''] = process.argv.slice(2)

/** Opens the device and begins to read it; ends idle, or with a path of arcs under way. */
async function occupy(): Promise<void> {
  const device = await openDevice(uuid)
  await device.setState('PRE_COPY')
  const stream = device.savingStream.resume()
  await stream.idle()
  if (phase === 'in a path') void device.setState('STOP')
}

/** Resolves when no fd of this process is a device's any more: a lane may be a moment from its end. */
async function released(): Promise<void> {
  const isOpen = (fd: string): boolean => {
    try {
      return /vfio|iommu/.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  }
  while (readdirSync('/proc/self/fd').some(isOpen)) await new Promise(setImmediate)
}

const endings: Readonly<Record<string, () => void>> = {
  'process.exit': () => process.exit(7),
  throw: () => {
    throw new Error('thrown on purpose')
  },
  'natural end': () => undefined,
  SIGTERM: () => {
    process.kill(process.pid, 'SIGTERM')
    setInterval(() => undefined, 2 ** 30) // a process with nothing left to do would end before its handler is called
  },
}

async function inThisThread(): Promise<void> {
  process.once('SIGTERM', () => process.exit(143))
  await occupy()
  setImmediate(endings[ending] ?? (() => process.exit(99)))
}

async function inWorker(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { argv: [ending, phase, uuid] })
  await new Promise(resolve => worker.once('message', resolve))
  await worker.terminate()
  await released()
}

async function beWorker(): Promise<void> {
  await occupy()
  parentPort?.postMessage('occupied')
  parentPort?.on('message', () => undefined)
}

void (!isMainThread ? beWorker() : ending === 'worker.terminate' ? inWorker() : inThisThread())
