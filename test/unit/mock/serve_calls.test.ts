// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { DeviceCalls } from '#lib/backend/seam.js'
import { MockDevice, openRemoteMock } from 'vfio-migrate/mock'
import { Processes } from './served/processes.ts'

const STOP_COPY = 3

describe('a served mock', () => {
  let processes: Processes

  beforeEach(() => {
    processes = new Processes()
  })

  afterEach(async () => {
    await processes[Symbol.asyncDispose]()
  })

  it('answers every call as it does in its own process', async () => {
    const path = processes.path('mock')
    const options = { size: 8192, seed: 7, name: 'mock' }
    await processes.serve(new MockDevice(options), path, 'with-client')
    const { calls: remote, ...shown } = await openRemoteMock(path)
    const { calls: own, ...shownHere } = new MockDevice(options).open()
    assert.deepEqual(shown, shownHere)
    for (const ask of everyCall) assert.deepEqual(await ask(remote), await ask(own), ask.toString())
    await Promise.all([remote.close(), own.close()])
  })
})

/** Calls whose answers do not depend on time, one after another. */
const everyCall: readonly ((calls: DeviceCalls) => Promise<unknown>)[] = [
  calls => calls.deviceInfo(),
  calls => calls.regionInfo(7),
  async calls => [...(await calls.regionRead(7 * 2 ** 40, 4, 2)).data],
  calls => calls.regionWrite(7 * 2 ** 40 + 4, Uint8Array.of(6, 0), 2),
  async calls => (await calls.regionRead(2 ** 40, 4, 4)).result,
  calls => calls.probe(2, 0x10000),
  calls => calls.migrationFlags(),
  calls => calls.dataSize(),
  calls => calls.optInPrecopyInfoV2(),
  calls => calls.dmaLoggingStart(4096, BigUint64Array.of(0n, 8192n)),
  calls => calls.dmaLoggingReport(0n, 8192n, 4096),
  calls => calls.dmaLoggingReport(0n, 8192n, 3),
  calls => calls.dmaLoggingStop(),
  calls => Promise.resolve(calls.fds()),
  async calls => {
    const { session, times, ...answer } = await calls.setStates([6])
    const info = await session?.precopyInfo()
    const read = await session?.read(2 ** 20, Infinity)
    return [answer, times.length, info, read?.result, Buffer.from(read?.data ?? []).subarray(0, 24)]
  },
  async calls => (await calls.setStates([STOP_COPY, 6])).done,
  calls => calls.getState(),
  calls => calls.reset(),
  calls => calls.getState(),
]
