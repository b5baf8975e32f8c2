// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { fstatSync, openSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import {
  E,
  PRE_COPY,
  RUNNING,
  STOP_COPY,
  alive,
  censusIsEmpty,
  enter,
  keep,
  open,
  openInGroup,
  scenario,
} from './scenario.js'

const lend = (index = 0): number => openSync(`/dev/vfio-fake/lent${index}`, 'r+')

describe('an fd that is lent', () => {
  scenario('is taken without a call and works at once', async () => {
    const fd = lend()
    const answer = addon.adopt(fd, {})
    assert.deepEqual(kernel.log(), [])
    const device = keep(answer)
    assert.deepEqual({ ...device.fds() }, { device: fd })
    assert.equal(await device.getState(), RUNNING)
  })

  scenario('is closed before its companions', async () => {
    const fds = { device: lend(), iommufd: openSync('/dev/iommu', 'r+') }
    const { device: fd, ...companions } = fds
    const device = keep(addon.adopt(fd, companions))
    assert.deepEqual({ ...device.fds() }, fds)
    await device.close()
    assert.deepEqual(kernel.lines('close'), ['close device', 'close iommufd'])
    for (const gone of Object.values(fds)) assert.throws(() => fstatSync(gone), { code: 'EBADF' })
    assert.deepEqual({ ...device.fds() }, { device: -1 })
  })

  scenario('is closed before its group, and that before its container', async () => {
    const group = openSync('/dev/vfio/7', 'r+')
    const fds = { device: lend(), group, container: openSync('/dev/vfio/vfio', 'r+') }
    const { device: fd, ...companions } = fds
    const device = keep(addon.adopt(fd, companions))
    assert.deepEqual({ ...device.fds() }, fds)
    await device.close()
    assert.deepEqual(kernel.lines('close'), ['close device', 'close group', 'close container'])
  })

  scenario('that is not a device answers what the kernel says to it', async () => {
    const device = keep(addon.adopt(openSync('/dev/null', 'r+'), { iommufd: undefined as never }))
    assert.equal(await device.getState(), -E.ENOTTY)
  })

  scenario('is taken once: a second close would hit whoever has the number by then', async () => {
    const [fd, other, iommufd] = [lend(), lend(1), openSync('/dev/iommu', 'r+')]
    const device = keep(addon.adopt(fd, { iommufd }))
    for (const [again, companions] of [
      [fd, {}],
      [iommufd, {}],
      [other, { iommufd }],
      [other, { container: fd }],
      [other, { group: other }],
      [other, { iommufd: 1 << 20, group: 1 << 20 }],
    ] as const) {
      const answer = addon.adopt(again, companions)
      assert.deepEqual([answer.result, answer.calls], [-E.EBUSY, undefined])
    }
    assert.equal(await device.getState(), RUNNING)
    await device.close()
    // Nothing was taken by what failed, and a number that was closed may come again.
    keep(addon.adopt(other, { iommufd: openSync('/dev/iommu', 'r+') }))
    keep(addon.adopt(lend(), {}))
  })

  scenario('is taken once by all threads', async () => {
    const fd = lend()
    const device = keep(addon.adopt(fd, {}))
    const worker = new Worker(new URL('adopt-worker.js', import.meta.url), { workerData: fd })
    const exit = once(worker, 'exit')
    assert.deepEqual(await once(worker, 'message'), [-E.EBUSY])
    assert.deepEqual(await exit, [0])
    assert.equal(await device.getState(), RUNNING)
  })
})

describe('close', () => {
  scenario('may be called again, during and after', async () => {
    const device = await open()
    const session = await enter(device, PRE_COPY)
    await Promise.all([session.close(), session.close(), device.close(), device.close()])
    await Promise.all([session.close(), device.close()])
    assert.equal(kernel.lines('close').length, 3)
  })

  scenario('of the session leaves the device as it is', async () => {
    const device = await open()
    const session = await enter(device, PRE_COPY)
    await session.close()
    assert.equal(await device.getState(), PRE_COPY)
  })

  scenario('leaves an object whose calls reach no fd', async () => {
    const device = await open()
    const session = await enter(device, STOP_COPY)
    await device.close()
    const before = kernel.log()
    const results = [
      (await device.deviceInfo()).result,
      (await device.regionInfo(0)).result,
      (await device.regionRead(0, 4, 4)).result,
      await device.regionWrite(0, new Uint8Array(4), 4),
      await device.probe(1, 0),
      await device.migrationFlags(),
      await device.getState(),
      (await device.setStates([1])).result,
      await device.dataSize(),
      await device.optInPrecopyInfoV2(),
      await device.dmaLoggingStart(4096, new BigUint64Array([0n, 4096n])),
      await device.dmaLoggingStop(),
      (await device.dmaLoggingReport(0n, 4096n, 4096)).result,
      await device.reset(),
      (await session.read(10, 0)).result,
      await session.write(new Uint8Array(10)),
    ]
    assert.deepEqual(new Set(results), new Set([-E.EBADF]))
    assert.equal((await session.precopyInfo()).result, -E.ENODEV)
    assert.deepEqual(kernel.log(), before)
  })
})

describe('the census', () => {
  scenario('counts what is alive', async () => {
    const device = await open()
    const { lanes, devices } = alive()
    assert.deepEqual([lanes, devices], [1, 1])
    const session = await enter(device, PRE_COPY)
    assert.deepEqual(alive(), { lanes: 2, sessions: 1, devices: 1 })
    await session.close()
    await device.close()
    await censusIsEmpty()
  })
})

/** Nothing of the scenario's is on the stack of this function when it returns. */
async function abandon(make: () => Promise<unknown>): Promise<void> {
  await make()
}

async function collected(): Promise<void> {
  for (let i = 0; i < 200 && kernel.files().length > 0; i++) {
    globalThis.gc?.()
    await turn()
  }
  assert.deepEqual(kernel.files(), [])
  await censusIsEmpty()
}

const openUnkept = async (index = 0) => {
  const { calls } = await addon.openCdev(`/dev/vfio/devices/vfio${index}`, '/dev/iommu', undefined)
  assert.ok(calls)
  return calls
}

describe('garbage collection', () => {
  scenario('closes a device that nobody closed', async () => {
    await abandon(() => openUnkept())
    await collected()
  })

  scenario('closes a session that nobody closed, and its device after it', async () => {
    await abandon(async () => (await openUnkept()).setStates([STOP_COPY]))
    await collected()
  })

  scenario('leaves a session alone whose device object is gone', async () => {
    let session = (await (await openUnkept()).setStates([STOP_COPY])).session
    for (let i = 0; i < 5; i++) {
      globalThis.gc?.()
      await turn()
    }
    assert.equal((await session?.read(100, 0))?.result, 100)
    await session?.close()
    session = undefined
    await collected()
  })

  scenario('does not take a device whose call is in the kernel', async () => {
    kernel.hold(0, 'GET_STATE')
    const answer = (await openUnkept()).getState()
    kernel.waitFor('held GET_STATE')
    for (let i = 0; i < 5; i++) {
      globalThis.gc?.()
      await turn()
    }
    assert.equal(kernel.files().length, 2)
    kernel.release('GET_STATE')
    assert.equal(await answer, RUNNING)
    await collected()
  })

  scenario('of one device leaves the shared group to the other', async () => {
    const kept = await openInGroup(0)
    await abandon(() => addon.openGroup('/dev/vfio/7', '/dev/vfio/vfio', 1, '0000:08:00.3'))
    for (let i = 0; i < 200 && kernel.files().length > 3; i++) {
      globalThis.gc?.()
      await turn()
    }
    assert.deepEqual(kernel.files().sort(), ['container', 'device', 'group'])
    assert.equal(await kept.getState(), RUNNING)
  })
})

describe('many lives', () => {
  scenario('leave nothing behind', async () => {
    for (let i = 0; i < 100; i++) {
      const device = await openUnkept(i % 4)
      const { session } = await device.setStates([STOP_COPY])
      const reading = session?.read(1000, 0)
      await Promise.all([device.close(), reading])
    }
    assert.deepEqual(kernel.files(), [])
  })
})
