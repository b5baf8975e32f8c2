// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { SessionBuffers } from '#lib/mock/drivers/mlx5_buffers.js'
import { StateMutex } from '#lib/mock/state_mutex.js'
import { VirtualClock } from 'vfio-migrate/mock'
import { bytes, Opened } from './drivers/opened.js'
import { commands, hold, said, type Hand } from './hand.js'

/** Of 16 KiB. */
const image = 80 + 16_384

/** The device's answers to commands of that name, as statuses. */
const statuses = ({ mock }: Hand, command: string): number[] =>
  mock.history.flatMap(event => (event.kind === 'status' && event.command === command ? [event.status] : []))

describe('the time that a mock takes', () => {
  it('is that of its own bandwidth for SAVE and for LOAD', async () => {
    const clock = new VirtualClock()
    // 10 ms of SAVE, 1 ms of LOAD.
    const bandwidth = { save: image * 100, load: image * 1000 }
    const [source, target] = [hold({ clock, bandwidth }), hold({ clock, bandwidth, seed: 2n })]
    await source.set('STOP_COPY')
    const stream = await source.drain()
    assert.equal(clock.now(), 10)
    await target.set('RESUMING')
    assert.equal(await target.write(stream), stream.length)
    assert.equal(clock.now(), 11)
  })

  it('is latency.RESET for a reset, which has no effect before', async () => {
    const hand = hold({ latency: { RESET: 7 } })
    await hand.set('STOP')
    const resetting = hand.backend.calls.reset()
    await hand.clock.sleep(6)
    assert.equal(await hand.state(), 'STOP')
    assert.equal(await resetting, 0)
    assert.equal(hand.clock.now(), 7)
    assert.equal(await hand.state(), 'RUNNING')
  })

  it('takes no part of a step over a reset', async () => {
    // A step each 10 ms.
    const hand = hold({ dirty: 409_600 })
    await hand.clock.sleep(9)
    assert.equal(await hand.backend.calls.reset(), 0)
    await hand.clock.sleep(9)
    assert.equal(hand.mock.epoch, 0n)
    await hand.clock.sleep(1)
    assert.equal(hand.mock.epoch, 1n)
  })
})

describe('a mock of virtio that is asked for precopy info', () => {
  it('asks its device when more than a second has passed since it asked, however often it was asked between', async () => {
    const device = new Opened({ flavour: 'virtio', size: '8KiB' })
    const session = await device.session('PRE_COPY')
    const asked = (): number =>
      device.mock.history.filter(event => event.kind === 'command' && event.command === 'QUERY').length
    const before = asked()
    const counts: [at: number, asked: number][] = []
    for (const ms of [0, 600, 400, 1, 600, 400, 1]) {
      if (ms > 0) await device.clock.sleep(ms)
      assert.equal((await session.precopyInfo()).result, 0)
      counts.push([device.clock.now(), asked() - before])
    }
    // prettier-ignore
    assert.deepEqual(counts, [[0, 1], [600, 1], [1000, 1], [1001, 2], [1601, 2], [2001, 2], [2002, 3]])
  })
})

describe('an image of no bytes', () => {
  const ofNothing = bytes('0000000000000000 00000000 00000000')
  /** STOP_COPY_SIZE, 4096. */
  const announced = bytes('0800000000000000 01000000 01000000 0010000000000000')

  it('is EINVAL to an mlx5 that has no memory for images yet, and the firmware is not asked', async () => {
    const hand = hold()
    await hand.set('RESUMING')
    assert.equal(await hand.write(Buffer.concat([ofNothing, Buffer.alloc(1)])), 'EINVAL')
    assert.deepEqual(
      commands(hand.mock).filter(command => command.startsWith('LOAD')),
      [],
    )
  })

  it('is a LOAD of no bytes to one that has', async () => {
    const hand = hold()
    await hand.set('RESUMING')
    assert.equal(await hand.write(Buffer.concat([announced, ofNothing, Buffer.alloc(1)])), 'EINVAL')
    assert.deepEqual(
      commands(hand.mock).filter(command => command.startsWith('LOAD')),
      ['LOAD 0'],
    )
  })
})

describe('the buffers of an mlx5', () => {
  it('are never longer than 2^32 - 4096 bytes', () => {
    const bytes = 2 ** 32 - 8192
    const pages = (track: boolean): number =>
      new SessionBuffers().reserve({ bytes, total: bytes, track }, false)
    assert.equal(pages(false), 2 ** 20 - 2)
    // With a tenth more.
    assert.equal(pages(true), 2 ** 20 - 1)
  })

  it('are used again once they were read: an increment goes where the initial image was', async () => {
    const hand = hold()
    await hand.set('PRE_COPY')
    // 16464 bytes and a tenth: five pages.
    assert.equal(commands(hand.mock).at(-1), 'SAVE false true 20480')
    for (let round = 0; round < 2; round++) {
      await hand.drain()
      hand.mock.step()
      assert.deepEqual(await hand.info(), [0, 80 + 4096 + 16, 0])
      assert.equal(commands(hand.mock).at(-1), 'SAVE true true 20480')
    }
  })

  it('are made anew where none is free', async () => {
    const hand = hold()
    await hand.set('PRE_COPY')
    hand.mock.step()
    await hand.set('RUNNING')
    // What is thrown away fits an increment of one page.
    assert.equal(commands(hand.mock).at(-1), 'SAVE false false 8192')
    assert.deepEqual(statuses(hand, 'SAVE'), [0, 0])
  })
})

describe('an mlx5 that gives pre-copy up', () => {
  it('lends a buffer of nothing where nothing is dirty: status 9, which it takes for nothing', async () => {
    const hand = hold()
    await hand.set('PRE_COPY')
    assert.equal(await hand.answer('RUNNING'), 0)
    assert.equal(commands(hand.mock).at(-1), 'SAVE false false 0')
    assert.deepEqual(statuses(hand, 'SAVE'), [0, 9])
    assert.equal(await hand.state(), 'RUNNING')
    assert.equal(await hand.answer('PRE_COPY'), 0)
  })
})

describe('a report of the DMA log', () => {
  it('is EINVAL where none was begun, also of a function that its PF took away', async () => {
    const hand = hold()
    const report = async (): Promise<number | string> =>
      said((await hand.backend.calls.dmaLoggingReport(0n, 4096n, 4096)).result)
    assert.equal(await report(), 'EINVAL')
    await hand.mock.detach()
    assert.equal(await report(), 'EINVAL')
    const ranges = BigUint64Array.of(0n, 4096n)
    assert.equal(said(await hand.backend.calls.dmaLoggingStart(4096, ranges)), 'ENOTCONN')
  })
})

describe('a reset of a mock', () => {
  it('that is noted while another is performed is performed behind it, and no later one is', async () => {
    let performed = 0
    const mutex: StateMutex = new StateMutex(async () => {
      if (performed++ === 0) await mutex.noteReset()
    })
    await mutex.noteReset()
    assert.equal(performed, 2)
    await mutex.run(() => undefined)
    assert.equal(performed, 2)
  })

  it('that comes while another waits for a SAVE leaves nothing to be undone afterwards', async () => {
    const hand = hold({ faults: [{ on: 'SAVE', hold: true }] })
    await hand.set('PRE_COPY')
    const first = hand.backend.calls.reset()
    await hand.mock.untilHeld()
    assert.equal(await hand.backend.calls.reset(), 0)
    hand.mock.releaseHeld()
    assert.equal(await first, 0)
    assert.equal(await hand.answer('PRE_COPY'), 0)
    assert.equal(await hand.state(), 'PRE_COPY')
    assert.equal(await hand.read(), 24 + 16 + image)
  })

  it('wakes a read that waits for the SAVE: ENODEV', async () => {
    const hand = hold({ faults: [{ on: 'SAVE', hold: true }] })
    await hand.set('STOP_COPY')
    assert.equal(await hand.read(), 24)
    const reading = hand.read()
    const resetting = hand.backend.calls.reset()
    await hand.mock.untilHeld()
    hand.mock.releaseHeld()
    assert.equal(await reading, 'ENODEV')
    assert.equal(await resetting, 0)
  })
})
