// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { MockOops } from 'vfio-migrate/mock'
import { Hand, hold } from './hand.js'

/** Giving pre-copy up has failed: the session is gone, the state still names it. */
async function halfway(): Promise<Hand> {
  const hand = hold({ faults: [{ on: 'SAVE_CLEANUP', status: 1 }] })
  await hand.set('PRE_COPY')
  assert.equal(await hand.answer('RUNNING'), 'EIO')
  assert.equal(await hand.state(), 'PRE_COPY')
  assert.equal(await hand.read(), 'ENODEV')
  return hand
}

const ways: Readonly<Record<string, (hand: Hand) => Promise<unknown>>> = {
  'the next SET RUNNING': hand => hand.set('RUNNING'),
  'the next SET STOP_COPY': hand => hand.set('STOP_COPY'),
  'precopy info': hand => hand.session.precopyInfo(),
}

describe('what would crash the kernel after pre-copy could not be given up', () => {
  for (const [way, go] of Object.entries(ways)) {
    it(`${way} rejects, and says what is dereferenced`, async () => {
      const hand = await halfway()
      await assert.rejects(go(hand), (error: unknown) => {
        assert.ok(error instanceof MockOops)
        assert.match(error.what, /saving_migf is NULL/)
        return true
      })
      assert.ok(hand.mock.history.some(event => event.kind === 'event' && event.event === 'oops'))
    })
  }

  it('and so does every later call, of every holder, those that wait included', async () => {
    const hand = await halfway()
    const other = new Hand(hand.mock)
    const crash = assert.rejects(hand.set('RUNNING'), MockOops)
    const waiting = assert.rejects(other.backend.calls.getState(), MockOops)
    await Promise.all([crash, waiting])
    await assert.rejects(other.backend.calls.migrationFlags(), MockOops)
    await assert.rejects(hand.backend.calls.reset(), MockOops)
    await assert.rejects(hand.backend.calls.close(), MockOops)
  })

  it('and a reset before it helps', async () => {
    const hand = await halfway()
    assert.equal(await hand.backend.calls.reset(), 0)
    assert.equal(await hand.answer('PRE_COPY'), 0)
  })

  it('but PRE_COPY_P2P is reached, and its precopy info is ENODEV', async () => {
    const hand = await halfway()
    assert.equal(await hand.answer('PRE_COPY_P2P'), 0)
    assert.equal(await hand.info(), 'ENODEV')
    assert.equal(await hand.answer('PRE_COPY'), 0)
  })
})
