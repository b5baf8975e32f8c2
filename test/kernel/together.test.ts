// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Device } from '#lib/device/device.js'
import { setStatesTogether } from '#lib/device/together.js'
import { openBottledPair } from './bottle.ts'
import { openPair } from './opened.ts'

const latest = (moments: readonly bigint[]): bigint => moments.reduce((a, b) => (a > b ? a : b))
const earliest = (moments: readonly bigint[]): bigint => moments.reduce((a, b) => (a < b ? a : b))

const states = (devices: readonly Device[]): Promise<string[]> =>
  Promise.all(devices.map(device => device.state()))

describe('two devices led together', () => {
  it('arrive together, on mtty', async () => {
    await using pair = await openPair('mtty-1')
    const devices = [pair.source, pair.destination]
    const outcomes = await setStatesTogether(devices, 'STOP_COPY', { through: new Set(['STOP']) })
    const [one, other] = outcomes
    assert.deepEqual([one?.error, other?.error], [undefined, undefined])
    assert.deepEqual(
      one?.arcs.map(({ to }) => to),
      other?.arcs.map(({ to }) => to),
    )
    assert.deepEqual(await states(devices), ['STOP_COPY', 'STOP_COPY'])
    const back = await setStatesTogether(devices, 'RUNNING', {
      through: new Set(['STOP']),
      from: ['STOP_COPY', 'STOP_COPY'],
    })
    assert.ok(back.every(({ error }) => error === undefined))
    assert.deepEqual(await states(devices), ['RUNNING', 'RUNNING'])
  })

  it('are not touched when one of them cannot be led there', async () => {
    await using pair = await openPair('mtty-1')
    const devices = [pair.source, pair.destination]
    await pair.destination.setState('STOP')
    await assert.rejects(
      setStatesTogether(devices, 'STOP_COPY', { through: undefined, from: ['RUNNING', 'RUNNING'] }),
      { code: 'ERR_VFIO_STATE_MOVED', state: 'STOP' },
    )
    assert.deepEqual(await states(devices), ['RUNNING', 'STOP'])
  })
})

describe('two bottled mlx5 functions led together', () => {
  const slowMicroseconds = 300_000

  it('stop answering others only when neither begins anything any more', async () => {
    await using pair = await openBottledPair({ size: 64 * 1024 })
    const devices = [pair.source, pair.destination]
    for (const device of devices) await device.setState('PRE_COPY')
    await pair.to.set({ latency: { SUSPEND_INITIATOR: slowMicroseconds } })
    const [fast, slow] = await setStatesTogether(devices, 'STOP_COPY', { through: new Set(['PRE_COPY_P2P']) })
    assert.deepEqual([fast?.error, slow?.error], [undefined, undefined])
    const commands = [...(await pair.from.commands()), ...(await pair.to.commands())]
    const named = (name: string) => commands.filter(command => command.name === name)
    assert.deepEqual([named('SUSPEND_INITIATOR').length, named('SUSPEND_RESPONDER').length], [2, 2])
    assert.ok(
      earliest(named('SUSPEND_RESPONDER').map(({ begin }) => begin)) >=
        latest(named('SUSPEND_INITIATOR').map(({ end }) => end)),
    )
    // Nobody's arc is as long as the wait for the other.
    const waited = slowMicroseconds / 1000
    assert.ok((slow?.arcs[0]?.ms ?? 0) >= waited)
    assert.ok(fast?.arcs.every(({ ms }) => ms < waited))
    for (const device of devices) assert.equal(await device.savingStream.resume().idle(), 'end')
  })

  it('go no further when one fails, and go back unharmed', async () => {
    await using pair = await openBottledPair({ size: 64 * 1024 })
    const devices = [pair.source, pair.destination]
    for (const device of devices) await device.setState('PRE_COPY')
    await pair.to.fault('SUSPEND_INITIATOR', { status: 6 })
    const [held, failed] = await setStatesTogether(devices, 'STOP_COPY', {
      through: new Set(['PRE_COPY_P2P']),
    })
    assert.deepEqual(
      [held?.error, failed?.error].map(error => [
        (error as { code?: string }).code,
        (error as { state?: string }).state,
      ]),
      [
        ['ERR_VFIO_HELD_BACK', 'PRE_COPY_P2P'],
        ['EBUSY', 'PRE_COPY'],
      ],
    )
    assert.ok(!(await pair.from.commandNames()).includes('SUSPEND_RESPONDER'))
    const back = await setStatesTogether(devices, 'RUNNING', { through: undefined })
    assert.deepEqual(
      back.map(({ error }) => error),
      [undefined, undefined],
    )
    assert.deepEqual(await states(devices), ['RUNNING', 'RUNNING'])
  })
})
