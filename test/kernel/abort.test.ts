// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Device } from '#lib/index.js'
import { isVfioError } from '#lib/errors.js'
import type { StateName } from '#lib/kernel/state.js'
import { reachableStates } from './grid.ts'
import { createMtty } from './mtty.ts'
import { openMtty } from './opened.ts'
import { openSeam } from './seam.ts'

const hasCode = (code: string) => (error: unknown) => isVfioError(error) && error.code === code

/** Reads until the stream ends one way or the other. */
async function readAll(device: Device): Promise<void> {
  await device.savingStream.forEach(() => undefined)
}

describe('giving up in any state', () => {
  for (const state of reachableStates) {
    it(`reset() leads from ${state} to RUNNING`, async () => {
      await using opened = await openMtty()
      const { device } = opened
      await device.setState(state)
      await device.reset()
      assert.equal(await device.state(), 'RUNNING')
    })
  }

  for (const state of reachableStates.filter(name => name !== 'RESUMING')) {
    it(`setState('RUNNING') leads from ${state} to RUNNING`, async () => {
      await using opened = await openMtty()
      const { device } = opened
      await device.setState(state)
      await device.setState('RUNNING')
      assert.equal(await device.state(), 'RUNNING')
    })
  }

  it('a device that was given nothing does not leave RESUMING but by reset()', async () => {
    await using opened = await openMtty()
    const { device } = opened
    await device.setState('RESUMING')
    await assert.rejects(device.setState('RUNNING'), error => {
      assert.ok(isVfioError(error))
      assert.deepEqual([error.code, error.state, error.recovery], ['EINVAL', 'RESUMING', 'reset'])
      assert.deepEqual(error.failedArc, { from: 'RESUMING', to: 'STOP' })
      return true
    })
    await device.reset()
    assert.equal(await device.state(), 'RUNNING')
  })

  it('an abort before the first arc makes none', async () => {
    await using opened = await openMtty()
    const { device } = opened
    await assert.rejects(device.setState('STOP_COPY', { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    })
    assert.equal(await device.state(), 'RUNNING')
  })
})

describe('a saving stream when its session ends', () => {
  const endings: Readonly<Record<string, (device: Device) => Promise<unknown>>> = {
    "setState('RUNNING')": device => device.setState('RUNNING'),
    'reset()': device => device.reset(),
    'close()': device => device.close(),
  }

  for (const [name, end] of Object.entries(endings)) {
    for (const state of ['PRE_COPY', 'PRE_COPY_P2P'] as const) {
      it(`closes without an error after ${name} in ${state} where nobody reads it`, async () => {
        await using opened = await openMtty()
        const { device } = opened
        await device.setState(state)
        const stream = device.savingStream
        const closed = once(stream, 'close') // rejects on 'error'
        await end(device)
        await closed
        assert.equal(stream.errored, null)
      })

      it(`fails who reads it after ${name} in ${state}`, async () => {
        await using opened = await openMtty()
        const { device } = opened
        await device.setState(state)
        const reading = assert.rejects(readAll(device), hasCode('ERR_VFIO_SESSION_ENDED'))
        assert.equal(await device.savingStream.idle(), 'idle')
        await end(device)
        await reading
      })
    }
  }

  it('is over for the device: there is none to be had until the next one', async () => {
    await using opened = await openMtty()
    const { device } = opened
    assert.throws(() => device.savingStream, hasCode('ERR_VFIO_NO_SESSION'))
    await device.setState('STOP_COPY')
    const first = device.savingStream
    await device.setState('STOP')
    assert.throws(() => device.savingStream, hasCode('ERR_VFIO_NO_SESSION'))
    await device.setState('STOP_COPY')
    assert.notEqual(device.savingStream, first)
  })

  for (const state of ['PRE_COPY', 'PRE_COPY_P2P'] as const) {
    it(`refuses STOP_COPY from ${state} after destroy(), and goes back to RUNNING`, async () => {
      await using opened = await openMtty()
      const { device } = opened
      await device.setState(state)
      device.savingStream.destroy()
      await assert.rejects(device.setState('STOP_COPY'), hasCode('ERR_VFIO_STREAM_DESTROYED'))
      assert.equal(await device.state(), state)
      await device.setState('RUNNING')
      await device.setState('STOP_COPY')
      assert.equal(await device.state(), 'STOP_COPY')
    })
  }
})

describe('a data_fd after its session', () => {
  const sessions: readonly [StateName, StateName][] = [
    ['PRE_COPY', 'RUNNING'],
    ['PRE_COPY_P2P', 'RUNNING_P2P'],
    ['STOP_COPY', 'STOP'],
  ]

  for (const [during, after] of sessions) {
    it(`answers ENODEV to read(2) when ${during} was left for ${after}`, async () => {
      await using mtty = await createMtty()
      await using seam = await openSeam(mtty.uuid)
      const session = await seam.begin(during)
      assert.equal((await seam.set(after)).result, 0)
      assert.equal((await session.read(4096, 0)).result, -19)
      await session.close()
    })
  }

  it('answers ENODEV to read(2) after a reset', async () => {
    await using mtty = await createMtty()
    await using seam = await openSeam(mtty.uuid)
    const session = await seam.begin('PRE_COPY')
    assert.equal(await seam.calls.reset(), 0)
    assert.equal((await session.read(4096, 0)).result, -19)
    await session.close()
  })

  it('answers EINVAL to precopy info, and ENODEV while a newer session is in PRE_COPY', async () => {
    await using mtty = await createMtty()
    await using seam = await openSeam(mtty.uuid)
    const old = await seam.begin('PRE_COPY')
    await seam.set('RUNNING')
    assert.equal((await old.precopyInfo()).result, -22)
    const newer = await seam.begin('PRE_COPY')
    assert.equal((await old.precopyInfo()).result, -19)
    await Promise.all([old.close(), newer.close()])
  })

  it('answers ENODEV to write(2) when RESUMING was left by a reset', async () => {
    await using mtty = await createMtty()
    await using seam = await openSeam(mtty.uuid)
    const session = await seam.begin('RESUMING')
    assert.equal(await seam.calls.reset(), 0)
    assert.equal(await session.write(Buffer.alloc(8)), -19)
    await session.close()
  })
})
