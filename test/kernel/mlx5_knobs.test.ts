// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice, type Device } from '#lib/index.js'
import { openBottle, type Bottle } from './bottle.ts'
import { setKnob, type BottledFunction } from './bottled.ts'
import { readAll, saveAll } from './mlx5_stream.ts'

const size = 64 * 1024

/** What a knob does not take: too little, too much, not a number, or a word too many. */
const refused: Readonly<Record<string, readonly string[]>> = {
  rate: ['-1', 'fast', '1099511627777', '99999999999999999999'],
  working_set: ['0', '65537', '18446744073709551615'],
  chunk_size: ['0', '4175', '4294967295'],
  estimate_slack: ['-1', '1073741825'],
  beat: ['1001', '18446744073709551615'],
  reinit: ['0', '2'],
  window: ['-1 0', '4096', '4096 x', '4096 1 2', '4096 4294967296', ' none', 'x'.repeat(5000)],
  'latency/SAVE': ['-1', '60000001', '18446744073709551615'],
  commands: ['x', '0'],
  runs: ['x'],
  held: ['1'],
  faults: [
    ...['SAVE', 'SAVE 1', 'SAVE 0 hold', 'SAVE -1 hold', 'SAVE 1 hold 3', 'SAVE 1 hold\nLOAD 1 hold'],
    ...['SAVE 1 status 0', 'SAVE 1 status 256', 'SAVE 1 errno EWHAT', 'SAVE 1 errno 4096'],
    ...['NOTHING 1 hold', 'ALLOC_PD 1 hold', 'x'.repeat(5000)],
  ],
}

/** What it takes: as much and as little as may be. */
const settings: Readonly<Record<string, readonly string[]>> = {
  rate: ['1099511627776', '0'],
  working_set: ['4096', '65536'],
  step: ['18446744073709551615', '1'],
  window: ['18446744073709551615 0', '4096 4294967294', 'none'],
  beat: ['1', '0'],
  reinit: ['1'],
  faults: ['SAVE 1000 hold', '\n'],
  held: ['0'],
  seed: ['5', '18446744073709551615'],
  chunk_size: ['4176', '8388608'],
  estimate_slack: ['1', '0'],
  size: ['1024'],
  commands: ['\n'],
  runs: ['\n'],
}

describe('a knob of the simulated firmware', () => {
  let bottle: Bottle
  let bottled: BottledFunction
  let device: Device
  before(async () => {
    bottle = await openBottle({ size, functions: 1 })
    bottled = bottle.functions[0] ?? assert.fail()
    device = await openDevice(bottled.address)
  })
  afterEach(() => device.reset())
  after(async () => {
    await device.close()
    await bottle[Symbol.asyncDispose]()
  })

  it('refuses what it cannot mean, and the function goes on as it was', async () => {
    const before = await bottled.digest()
    for (const [name, values] of Object.entries(refused)) {
      for (const value of values)
        await assert.rejects(bottled.write(name, value), /EINVAL|ERANGE/, `${name}: ${value.slice(0, 40)}`)
    }
    await assert.rejects(bottled.write('size', '131072'), { code: 'EBUSY' })
    for (const value of ['0', '1000', '1025', '1073742848'])
      await assert.rejects(bottled.write('size', value), { code: 'EINVAL' })
    await assert.rejects(setKnob(bottled.pf, 'attached', '2'), { code: 'EINVAL' })
    assert.deepEqual([await bottled.pendingFaults(), await bottled.digest()], [[], before])
    assert.ok((await saveAll(device)).length > size)
  })

  it('lets go of a SAVE that has met its hold, whether it is waiting yet or not', async () => {
    for (let times = 0; times < 20; times++) {
      await bottled.fault('SAVE', 'hold')
      await device.setState('PRE_COPY')
      await bottled.release()
      await device.precopyInfo()
      assert.ok((await readAll(device, 'idle')).length > size)
      await device.reset()
    }
  })

  it('may be written by many at once while the function migrates', async () => {
    const writeAll = (): Promise<void>[] =>
      Object.entries(settings).flatMap(([name, values]) => values.map(value => bottled.write(name, value)))
    for (let times = 0; times < 5; times++) {
      // What each of them answers is open, and that they all answer is what is asked for.
      for (const state of ['PRE_COPY', 'STOP_COPY'] as const)
        await Promise.allSettled([device.setState(state), ...writeAll()])
      await device.reset()
    }
    await bottled.write('faults', '\n')
    await bottled.set({ rate: 0, chunk_size: 8 << 20, estimate_slack: 0 })
    assert.ok((await saveAll(device)).length > size)
    await device.reset()
    assert.deepEqual(await bottle.objects(), { pds: 0, mkeys: 0 })
  })

  it('takes the function away and gives it back as often as it is told, by many at once', async () => {
    for (let times = 0; times < 20; times++)
      await Promise.all(['0', '1', '0', '1'].map(value => setKnob(bottled.pf, 'attached', value)))
    await setKnob(bottled.pf, 'attached', '1')
    assert.ok((await saveAll(device)).length > size)
  })
})
