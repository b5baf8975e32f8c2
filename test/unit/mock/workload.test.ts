// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { DeviceState } from '#lib/mock/state.js'
import { MockDevice } from 'vfio-migrate/mock'
import { hold } from './hand.js'

/** 100 pages a second. */
const dirty = 409_600

describe('the workload of a mock', () => {
  it('makes rate / 4096 steps a second while the function runs, whoever looks how often', async () => {
    const [seldom, often] = [hold({ dirty, size: '1MiB' }), hold({ dirty, size: '1MiB' })]
    await seldom.clock.sleep(1234.5)
    for (let k = 0; k < 2469; k++) {
      await often.clock.sleep(0.5)
      if (k % 7 === 0) often.mock.digest()
    }
    assert.deepEqual([seldom.mock.epoch, often.mock.epoch], [123n, 123n])
    assert.equal(seldom.mock.digest(), often.mock.digest())
  })

  it('has a state that follows from the epoch', async () => {
    const hand = hold({ dirty, size: '1MiB', workingSet: '80KiB' })
    await hand.clock.sleep(500)
    const expected = new DeviceState(2 ** 20, 0x0123456789abcdefn)
    expected.run(50, 20)
    assert.equal(hand.mock.digest(), expected.digest())
  })

  const running: Readonly<Record<string, boolean>> = {
    RUNNING: true,
    PRE_COPY: true,
    RUNNING_P2P: false,
    PRE_COPY_P2P: false,
    STOP: false,
    STOP_COPY: false,
    RESUMING: false,
  }
  for (const [state, runs] of Object.entries(running)) {
    it(`${runs ? 'goes on' : 'stands still'} in ${state}`, async () => {
      const hand = hold({ dirty })
      if (state !== 'RUNNING') await hand.set(state as 'STOP')
      await hand.clock.sleep(100)
      assert.equal(hand.mock.epoch, runs ? 10n : 0n)
      if (runs) hand.mock.step()
      else assert.throws(() => hand.mock.step(), /does not run/)
    })
  }

  it('stops when the initiator is suspended, which is at the end of the command', async () => {
    const hand = hold({ dirty, latency: { SUSPEND_INITIATOR: 30 } })
    await hand.set('RUNNING_P2P')
    assert.equal(hand.mock.epoch, 3n)
  })

  it('stands still while nobody has the device open', async () => {
    const hand = hold({ dirty })
    await hand.backend.calls.close()
    await hand.clock.sleep(100)
    assert.equal(hand.mock.epoch, 0n)
  })

  it('is logged by the intervals in which it made a step', async () => {
    const hand = hold({ name: 'one', dirty })
    await hand.clock.sleep(100)
    await hand.set('STOP', 'RUNNING', 'STOP', 'RUNNING')
    await hand.clock.sleep(50)
    const common = { device: 'one', seed: 0x0123456789abcdefn }
    assert.deepEqual(hand.mock.runLog, [
      { ...common, firstEpoch: 0n, endEpoch: 10n, beginNs: 0n, endNs: 100_000_000n },
      { ...common, firstEpoch: 10n, endEpoch: 15n, beginNs: 100_000_000n, endNs: 150_000_000n },
    ])
    await hand.backend.calls.reset()
    await hand.clock.sleep(20)
    assert.deepEqual(hand.mock.runLog.at(-1), {
      ...common,
      firstEpoch: 0n,
      endEpoch: 2n,
      beginNs: 150_000_000n,
      endNs: 170_000_000n,
    })
  })

  it('is quick to catch up on a year', async () => {
    const hand = hold({ dirty: '1GiB/s', size: '1MiB' })
    await hand.clock.sleep(365 * 86_400_000)
    assert.equal(hand.mock.epoch, 365n * 86_400n * 262_144n)
  })

  it("runs by the machine's time without a virtual clock", async () => {
    const mock = new MockDevice({ dirty: '400MiB/s' })
    const { calls } = mock.open()
    const before = mock.epoch
    for (let k = 0; k < 200 && mock.epoch === before; k++) await calls.migrationFlags()
    assert.ok(mock.epoch > before)
  })
})
