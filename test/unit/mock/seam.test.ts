// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { feature, operation } from '#lib/kernel/feature.js'
import { MockDevice } from 'vfio-migrate/mock'
import { Hand, hold, said } from './hand.js'

const numbers = { STOP: 1, RUNNING: 2, STOP_COPY: 3, RESUMING: 4, RUNNING_P2P: 5, PRE_COPY: 6 }

describe('calls on a mock', () => {
  it('run one after another; a reset runs beside them', async () => {
    const hand = hold({ faults: [{ on: 'SUSPEND_INITIATOR', hold: true }] })
    const order: string[] = []
    const note = (name: string) => (): void => void order.push(name)
    const { calls } = hand.backend
    const all = [
      calls.setStates([numbers.STOP]).then(note('SET')),
      calls.migrationFlags().then(note('flags')),
      calls.reset().then(note('reset')),
    ]
    await all[2]
    hand.mock.releaseHeld()
    await Promise.all(all)
    assert.deepEqual(order, ['reset', 'SET', 'flags'])
  })

  it('take the bytes for a region as they were when the call was made', async () => {
    const hand = hold({ faults: [{ on: 'SUSPEND_INITIATOR', hold: true }] })
    const { calls } = hand.backend
    const command = 7 * 2 ** 40 + 4
    const bytes = Buffer.from([0x06, 0x00])
    const all = [calls.setStates([numbers.RUNNING_P2P]), calls.regionWrite(command, bytes, 2)]
    bytes.fill(0)
    await hand.mock.untilHeld()
    hand.mock.releaseHeld()
    await Promise.all(all)
    assert.deepEqual([...(await calls.regionRead(command, 2, 2)).data], [0x06, 0x00])
  })

  it('are answered in a later turn of the event loop', async () => {
    const { calls } = hold().backend
    let isAnswered = false
    void calls.migrationFlags().then(() => (isAnswered = true))
    for (let k = 0; k < 50; k++) await Promise.resolve()
    assert.equal(isAnswered, false)
  })

  it('answer -EBADF after close, and -ECANCELED when they waited for their turn', async () => {
    const hand = hold({ faults: [{ on: 'SUSPEND_INITIATOR', hold: true }] })
    const { calls } = hand.backend
    const setting = calls.setStates([numbers.RUNNING_P2P])
    const waiting = calls.getState()
    const closing = calls.close()
    assert.equal(said(await calls.migrationFlags()), 'EBADF')
    assert.equal(said(await calls.reset()), 'EBADF')
    assert.equal(said(await waiting), 'ECANCELED')
    hand.mock.releaseHeld()
    assert.equal((await setting).result, 0)
    await closing
    await calls.close()
    assert.deepEqual(calls.fds(), { device: -1 })
  })

  it('count the SETs that succeeded, of this holder, and time each', async () => {
    const hand = hold({ latency: { SUSPEND_INITIATOR: 3, SUSPEND_RESPONDER: 5 } })
    const { result, done, times, arc } = await hand.backend.calls.setStates([
      numbers.RUNNING_P2P,
      numbers.STOP,
      0,
      numbers.RUNNING,
    ])
    assert.deepEqual([said(result), done, [...times], arc], ['EINVAL', 2, [0, 3, 8, 8], 2])
    const other = new Hand(hand.mock)
    assert.equal((await other.set('STOP')).arc, 1)
    assert.equal((await hand.set('STOP')).arc, 3)
  })

  it('issue no SET when what a session needs cannot be had', async () => {
    const hand = hold({ faults: [{ on: 'PREPARE_SESSION', errno: 'EMFILE' }] })
    const { result, done, times } = await hand.set('STOP', 'STOP_COPY')
    assert.deepEqual([said(result), done, times.length], ['EMFILE', 0, 1])
    assert.equal(await hand.state(), 'RUNNING')
  })

  it('throw a TypeError for an argument that is a mistake, before anything is called', () => {
    const { calls } = hold().backend
    const mistakes: (() => unknown)[] = [
      () => calls.regionInfo(-1),
      () => calls.regionRead(0, 3, 2),
      () => calls.regionWrite(0, new Uint8Array(3), 3),
      () => calls.probe(2 ** 32, 0),
      () => calls.setStates([1.5]),
      () => calls.setStates(new Array<number>(257).fill(1)),
      () => calls.dmaLoggingStart(4096, BigUint64Array.of(1n)),
      () => calls.dmaLoggingReport(-1n, 1n, 4096),
    ]
    for (const mistake of mistakes) assert.throws(mistake, TypeError)
  })
})

describe('calls on a session of a mock', () => {
  it('tell the arc before the read', async () => {
    const hand = hold()
    await hand.set('PRE_COPY')
    assert.equal((await hand.session.read(10, 0)).arc, 1)
    await hand.set('STOP_COPY')
    assert.equal((await hand.session.read(10, 0)).arc, 2)
  })

  it('read no more than 16 MiB at once', async () => {
    const hand = hold({ size: '20MiB' })
    await hand.set('STOP_COPY')
    assert.equal(await hand.read(2 ** 30), 2 ** 24)
  })

  it('wake a read that waits when the session or the device closes', async () => {
    for (const close of [(hand: Hand) => hand.session.close(), (hand: Hand) => hand.backend.calls.close()]) {
      const hand = hold({ faults: [{ on: 'SAVE', hold: true }] })
      await hand.set('STOP_COPY')
      await hand.read()
      const [reading, next] = [hand.read(), hand.read()]
      const closing = close(hand)
      assert.deepEqual([await reading, await next], ['ECANCELED', 'ECANCELED'])
      hand.mock.releaseHeld()
      await closing
      assert.deepEqual(
        [await hand.read(), await hand.write(new Uint8Array(1)), await hand.info()],
        ['EBADF', 'EBADF', 'ENODEV'],
      )
    }
  })

  it('take a write whole, and after a failure answer ENODEV without asking the kernel', async () => {
    const hand = hold()
    await hand.set('RESUMING')
    assert.equal(await hand.write(new Uint8Array(0)), 0)
    // A record of no bytes that claims to be an image.
    assert.equal(await hand.write(new Uint8Array(100)), 'EINVAL')
    assert.equal(await hand.write(new Uint8Array(1)), 'ENODEV')
  })

  it('answer EFAULT to bytes that were taken away before they were written', async () => {
    const hand = hold({ faults: [{ on: 'LOAD', hold: true }] })
    const source = hold()
    await source.set('STOP_COPY')
    const stream = await source.drain()
    await hand.set('RESUMING')
    const [first, second] = [hand.write(stream), new Uint8Array(16)]
    const third = hand.write(second)
    await hand.mock.untilHeld()
    structuredClone(second.buffer, { transfer: [second.buffer] })
    hand.mock.releaseHeld()
    assert.deepEqual([await first, await third], [stream.length, 'EFAULT'])
  })

  it('are over with the early close, and the session in the kernel is not', async () => {
    const hand = hold()
    await hand.set('PRE_COPY')
    await hand.session.close()
    assert.equal(await hand.answer('STOP_COPY'), 0)
    assert.equal(await hand.state(), 'STOP_COPY')
  })
})

describe('features of a mock', () => {
  const { GET, SET } = operation
  const rows: readonly [id: number, operations: number, answer: number | string][] = [
    [feature.MIGRATION, GET, 0],
    [feature.MIGRATION, SET, 'EINVAL'],
    [feature.MIG_DEVICE_STATE, GET | SET, 0],
    [feature.MIG_DATA_SIZE, GET, 0],
    [feature.DMA_LOGGING_START, SET, 0],
    [feature.DMA_LOGGING_REPORT, SET, 'EINVAL'],
    [feature.MIG_PRECOPY_INFOv2, SET, 0],
    [feature.MIG_PRECOPY_INFOv2, GET, 'EINVAL'],
    [13, 0, 'ENOTTY'],
    [0x80000 | feature.MIGRATION, GET, 'EINVAL'],
  ]
  for (const [id, operations, answer] of rows) {
    it(`a probe of ${id} for 0x${operations.toString(16)} answers ${answer}`, async () => {
      assert.equal(said(await hold().backend.calls.probe(id, operations)), answer)
    })
  }

  it('lack what was taken from it', async () => {
    const capabilities = { stopCopy: false, p2p: false, preCopy: false, dmaLogging: false }
    const { calls } = new MockDevice({ capabilities }).open()
    assert.equal(said(await calls.migrationFlags()), 'ENOTTY')
    assert.equal(said(await calls.getState()), 'ENOTTY')
    assert.equal(said((await calls.setStates([1])).result), 'ENOTTY')
    assert.equal(said(await calls.dataSize()), 'ENOTTY')
    assert.equal(said(await calls.optInPrecopyInfoV2()), 'EINVAL')
    assert.equal(said(await calls.dmaLoggingStop()), 'ENOTTY')
  })

  it('have flags for each of its capabilities', async () => {
    const flagsOf = (p2p: boolean, preCopy: boolean): Promise<number> =>
      new MockDevice({ capabilities: { p2p, preCopy } }).open().calls.migrationFlags()
    assert.deepEqual(
      [
        await flagsOf(false, false),
        await flagsOf(true, false),
        await flagsOf(false, true),
        await flagsOf(true, true),
      ],
      [1, 3, 5, 7],
    )
  })
})
