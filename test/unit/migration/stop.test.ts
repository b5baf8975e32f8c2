// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { Stop } from '#lib/migration/stop.js'
import { isSettled } from './settled.js'

const never = new Promise<never>(() => undefined)

describe('Stop', () => {
  it('does not hold up what is done while nothing stops it', async () => {
    const stop = new Stop()
    stop.throwIfStopped()
    assert.equal(await stop.during(Promise.resolve('done')), 'done')
    await assert.rejects(stop.during(Promise.reject(new Error('its own'))), { message: 'its own' })
  })

  it('ends every wait with the first reason', async () => {
    const stop = new Stop()
    const waits = [stop.during(never), stop.during(never)]
    stop.because(new Error('first'))
    stop.because(new Error('second'))
    for (const wait of waits) await assert.rejects(wait, { message: 'first' })
    await assert.rejects(stop.during(never), { message: 'first' })
    assert.throws(() => stop.throwIfStopped(), { message: 'first' })
  })

  it('stops for a reason that is undefined as well', async () => {
    const stop = new Stop()
    stop.because(undefined)
    assert.equal(await isSettled(stop.during(never)), true)
    stop.because(new Error('second'))
    const caught = await stop.during(never).catch((error: unknown) => ({ error }))
    assert.deepEqual(caught, { error: undefined })
  })

  it('rejects nobody when nobody waits', async () => {
    new Stop().because(new Error('unheard'))
    assert.equal(await isSettled(Promise.resolve()), true)
  })

  it('follows a signal: AbortError, with its reason as the cause', async () => {
    const controller = new AbortController()
    const stop = new Stop(controller.signal)
    const wait = stop.during(never)
    controller.abort('enough')
    await assert.rejects(wait, { name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' })
  })

  it('is stopped from the beginning by a signal that has fired', () => {
    assert.throws(() => new Stop(AbortSignal.abort()).throwIfStopped(), { name: 'AbortError' })
  })

  it('leaves nothing at a signal that it follows no longer', () => {
    const { signal } = new AbortController()
    const stop = new Stop(signal)
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    stop.release()
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })
})
