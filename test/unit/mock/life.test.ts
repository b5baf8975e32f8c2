// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import { Hand, hold } from './hand.js'

describe('opening a mock as by its path', () => {
  it('resets it first and last: its state is gone', async () => {
    const hand = hold()
    const blank = hand.mock.digest()
    hand.mock.step(3)
    assert.notEqual(hand.mock.digest(), blank)
    await hand.set('STOP')
    await hand.backend.calls.close()
    assert.deepEqual([hand.mock.digest(), hand.mock.epoch, hand.mock.state], [blank, 0n, 'STOP'])
    const again = new Hand(hand.mock)
    assert.equal(await again.state(), 'RUNNING')
  })

  it('shares one state machine and one session among its holders', async () => {
    const hand = hold()
    const other = new Hand(hand.mock)
    hand.mock.step()
    await hand.set('PRE_COPY')
    assert.equal(await other.state(), 'PRE_COPY')
    await hand.backend.calls.close()
    assert.equal(await other.state(), 'PRE_COPY')
    assert.equal(hand.mock.epoch, 1n)
    await other.backend.calls.close()
    assert.equal(hand.mock.epoch, 0n)
  })

  it('ends the session with the last close, but not the calls on a session before it', async () => {
    const hand = hold()
    await hand.set('PRE_COPY')
    await hand.session.close()
    assert.equal(await hand.read(), 'EBADF')
    assert.notEqual(hand.mock.poll(), undefined)
    await hand.backend.calls.close()
    assert.equal(hand.mock.poll(), undefined)
  })

  it('forgets the opt-in into INFOv2 with the last close', async () => {
    const hand = hold({ reinit: true })
    await hand.backend.calls.optInPrecopyInfoV2()
    await hand.backend.calls.close()
    const again = new Hand(hand.mock)
    await again.set('PRE_COPY')
    await again.drain()
    hand.mock.reinit()
    assert.deepEqual(await again.info(), [0, 16 + 80 + 16384, 0])
  })
})

describe('a mock that is lent', () => {
  it('has a state that opening does not clear and closing leaves', async () => {
    const mock = new MockDevice({ clock: new VirtualClock(), origin: 'lent' })
    mock.step(5)
    const device = await openDevice(mock)
    assert.equal(device.origin, 'lent')
    assert.equal(mock.epoch, 5n)
    await device.close()
    assert.equal(mock.epoch, 5n)
    mock.step()
    await mock.release()
    assert.equal(mock.epoch, 0n)
    assert.throws(() => mock.step(), /does not run/)
  })

  it('gets a holder by being lent', async () => {
    const mock = new MockDevice({ clock: new VirtualClock() })
    const { calls } = mock.lend()
    mock.step()
    await calls.close()
    assert.equal(mock.epoch, 1n)
    await mock.release()
    await mock.release()
    assert.equal(mock.epoch, 0n)
  })

  it('outlives its holder while somebody else has it open', async () => {
    const mock = new MockDevice({ clock: new VirtualClock() })
    const { calls } = mock.lend()
    mock.step()
    await mock.release()
    assert.equal(mock.epoch, 1n)
    await calls.close()
    assert.equal(mock.epoch, 0n)
  })
})

describe('a reset', () => {
  it('leaves a blank device in RUNNING, and the session dead', async () => {
    const hand = hold()
    hand.mock.step()
    await hand.set('STOP_COPY')
    assert.equal(await hand.backend.calls.reset(), 0)
    assert.deepEqual([await hand.state(), hand.mock.epoch, await hand.read()], ['RUNNING', 0n, 'ENODEV'])
  })

  it('kills a read that waits', async () => {
    const hand = hold({ faults: [{ on: 'SAVE', hold: true }] })
    await hand.set('STOP_COPY')
    await hand.read()
    const reading = hand.read()
    const resetting = hand.backend.calls.reset()
    // It waits for the SAVE that runs.
    hand.mock.releaseHeld()
    assert.equal(await resetting, 0)
    assert.equal(await reading, 'ENODEV')
  })

  it('keeps INFOv2 and the DMA log', async () => {
    const hand = hold({ reinit: true })
    const { calls } = hand.backend
    await calls.optInPrecopyInfoV2()
    assert.equal(await calls.dmaLoggingStart(4096, BigUint64Array.of(0n, 16384n)), 4096)
    await calls.reset()
    assert.equal((await calls.dmaLoggingReport(0n, 16384n, 4096)).result, 0)
    await hand.set('PRE_COPY')
    hand.mock.reinit()
    assert.equal((await hand.session.precopyInfo()).flags, 1)
  })

  it('that overtakes a SET is taken notice of when that one ends: RUNNING behind an answer of 0', async () => {
    const hand = hold({ faults: [{ on: 'QUERY', hold: true }] })
    const setting = hand.answer('STOP_COPY')
    await hand.mock.untilHeld()
    assert.equal(await hand.backend.calls.reset(), 0)
    assert.equal(hand.mock.state, 'STOP')
    hand.mock.releaseHeld()
    // The command that was overtaken ends with 0x4.
    assert.equal(await setting, 'EIO')
    assert.equal(await hand.state(), 'RUNNING')
  })

  it('by another holder can happen in any command', async () => {
    const hand = hold({ faults: [{ on: 'SUSPEND_RESPONDER', reset: true }] })
    hand.mock.step()
    assert.equal(await hand.answer('STOP'), 'EIO')
    assert.deepEqual([await hand.state(), hand.mock.epoch], ['RUNNING', 0n])
  })

  for (const errno of ['EINVAL', 'EAGAIN', 'ENOTTY'] as const) {
    it(`that fails with ${errno} changes nothing`, async () => {
      const hand = hold({ faults: [{ on: 'RESET', errno }] })
      await hand.set('STOP')
      hand.mock.releaseHeld()
      assert.notEqual(await hand.backend.calls.reset(), 0)
      assert.equal(await hand.state(), 'STOP')
    })
  }
})

describe('a function that its PF takes away', () => {
  it('has its session end, and answers ENOTCONN until it is given back', async () => {
    const hand = hold()
    await hand.set('STOP_COPY')
    await hand.mock.detach()
    assert.equal(await hand.read(), 'ENODEV')
    assert.equal(await hand.state(), 'STOP_COPY')
    assert.equal(await hand.answer('STOP'), 0)
    for (const to of ['RUNNING', 'STOP_COPY', 'RESUMING'] as const)
      assert.equal(await hand.answer(to), 'ENOTCONN')
    assert.equal(await hand.backend.calls.dataSize(), -107)
    assert.equal(await hand.backend.calls.dmaLoggingStart(4096, BigUint64Array.of(0n, 4096n)), -107)
    hand.mock.attach()
    assert.equal(await hand.answer('RUNNING'), 0)
  })
})
