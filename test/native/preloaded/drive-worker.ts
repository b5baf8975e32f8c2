// SPDX-License-Identifier: Apache-2.0
import { parentPort, workerData } from 'node:worker_threads'
import { addon } from './addon.js'

const STOP = 1
const RUNNING = 2
const STOP_COPY = 3

async function openDevice(index: number) {
  const { result, calls } = await addon.openCdev(`/dev/vfio/devices/vfio${index}`, '/dev/iommu', undefined)
  if (calls === undefined) throw new Error(`open answered ${result}`)
  return calls
}

/** Saves the device once; answers how many bytes came. */
async function save(index: number): Promise<number> {
  const device = await openDevice(index)
  const { session } = await device.setStates([STOP, STOP_COPY])
  if (session === undefined) throw new Error('no session')
  let bytes = 0
  for (let result = 1; result > 0; bytes += result) result = (await session.read(10_000, 0)).result
  await device.setStates([STOP, RUNNING])
  await device.close()
  return bytes
}

const index = workerData as number
if (index < 0) {
  const device = await openDevice(3)
  const { session } = await device.setStates([STOP_COPY])
  parentPort?.postMessage((await session?.read(100, 0))?.result)
  setInterval(() => device.fds(), 1 << 30)
} else {
  let bytes = 0
  for (let i = 0; i < 20; i++) bytes += await save(index)
  parentPort?.postMessage(bytes)
}
