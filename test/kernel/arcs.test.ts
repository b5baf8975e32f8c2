// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { finished } from 'node:stream/promises'
import type { DeviceBackend } from '#lib/backend/seam.js'
import { openDevice, type Device } from '#lib/index.js'
import { isVfioError } from '#lib/errors.js'
import { pathTo, stateNames, type StateName } from '#lib/kernel/state.js'
import { givesFd, printedPath, reachableStates } from './grid.ts'
import { createMtty, type Mtty } from './mtty.ts'
import { streamOf } from './mtty_stream.ts'
import { openSeam, type Seam } from './seam.ts'

/** What came of one SET, or of one setState. */
interface Outcome {
  readonly result: string
  readonly state: string | undefined
  readonly fd: boolean
}

/** What the kernel's table says; RESUMING without a whole state is left by no arc (mtty.c, mtty_load_state). */
function expected(from: StateName, to: StateName, loaded = true): Outcome {
  const path = printedPath(from, to)
  const stuck = from === 'RESUMING' && to !== 'RESUMING' && !loaded
  if (path === undefined || stuck) return { result: 'EINVAL', state: from, fd: false }
  return { result: 'ok', state: to, fd: givesFd(from, path) }
}

/** Resets, goes to `from`, and answers what a single SET of `to` does. */
async function setOnce(seam: Seam, from: StateName, to: StateName, load?: Buffer): Promise<Outcome> {
  await seam.calls.reset()
  const { result, session } = await seam.set(from)
  assert.equal(result, 0, `the way to ${from}`)
  if (load) assert.equal(await session?.write(load), load.length)
  const answer = await seam.set(to)
  const outcome = {
    result: answer.result === 0 ? 'ok' : answer.result === -22 ? 'EINVAL' : String(answer.result),
    state: await seam.state(),
    fd: answer.session !== undefined,
  }
  await Promise.all([session?.close(), answer.session?.close()])
  return outcome
}

/** A backend that remembers whether a SET was issued. */
function watched(backend: DeviceBackend): { backend: DeviceBackend; sets: () => number } {
  let sets = 0
  const calls = new Proxy(backend.calls, {
    get(target, key) {
      if (key === 'setStates') sets++
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { backend: { ...backend, calls }, sets: () => sets }
}

describe('every pair of states on mtty', () => {
  let mtty: Mtty
  before(async () => {
    mtty = await createMtty()
  })
  after(async () => {
    await mtty[Symbol.asyncDispose]()
  })

  it('has the way that pathTo gives, by the printed table', () => {
    for (const from of reachableStates) {
      for (const to of stateNames) {
        const path = pathTo(from, to, { p2p: true, preCopy: true })
        assert.deepEqual(path, printedPath(from, to), `${from} -> ${to}`)
      }
    }
  })

  for (const from of reachableStates) {
    it(`answers one SET from ${from} to each of the eight states as the table says`, async () => {
      await using seam = await openSeam(mtty.uuid)
      for (const to of stateNames) {
        assert.deepEqual(await setOnce(seam, from, to), expected(from, to, false), `${from} -> ${to}`)
      }
    })
  }

  it('answers one SET from a loaded RESUMING to each of the eight states as the table says', async () => {
    await using seam = await openSeam(mtty.uuid)
    for (const to of stateNames) {
      const outcome = await setOnce(seam, 'RESUMING', to, streamOf('mtty-1'))
      assert.deepEqual(outcome, expected('RESUMING', to), `RESUMING -> ${to}`)
    }
  })

  for (const from of reachableStates) {
    it(`is driven by setState from ${from} to each of the eight states along the table, or refused without a SET`, async () => {
      const { backend, sets } = watched((await openSeam(mtty.uuid)).backend)
      await using device = await openDevice(backend)
      for (const to of stateNames) await driveOnce(device, from, to, sets)
      await device.reset()
    })
  }
})

async function driveOnce(device: Device, from: StateName, to: StateName, sets: () => number): Promise<void> {
  await device.reset()
  await device.setState(from)
  if (from === 'RESUMING') {
    device.resumingStream.end(streamOf('mtty-1'))
    await finished(device.resumingStream)
  }
  const before = sets()
  const path = printedPath(from, to)
  if (path === undefined) {
    await assert.rejects(device.setState(to), error => {
      assert.ok(isVfioError(error))
      assert.deepEqual([error.code, error.state], ['ERR_VFIO_NO_PATH', from])
      return true
    })
    assert.equal(sets(), before)
  } else {
    const arcs = await device.setState(to)
    assert.deepEqual(
      arcs,
      path.map((step, index) => ({ from: path[index - 1] ?? from, to: step, ms: arcs[index]?.ms })),
    )
  }
  assert.equal(await device.state(), path === undefined ? from : to, `${from} -> ${to}`)
}
