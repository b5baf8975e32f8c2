// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { hold } from './hand.js'

/** 24 of record 0; 16 of the header, 80 and 4 pages of the image. */
const initial = 24 + 16 + 80 + 16384

async function inPreCopy(options: Parameters<typeof hold>[0] = {}): Promise<ReturnType<typeof hold>> {
  const hand = hold(options)
  assert.equal(await hand.answer('PRE_COPY'), 0)
  return hand
}

describe('precopy info of mlx5', () => {
  it('counts down the initial bytes, whatever is dirty', async () => {
    const hand = await inPreCopy()
    assert.deepEqual(await hand.info(), [initial, 0, 0])
    hand.mock.step(3)
    await hand.read(1000)
    assert.deepEqual(await hand.info(), [initial - 1000, 0, 0])
  })

  it('waits for the initial SAVE, and knows its size then', async () => {
    const hand = await inPreCopy({ latency: { SAVE: 500 } })
    assert.equal(hand.clock.now(), 0)
    assert.deepEqual(await hand.info(), [initial, 0, 0])
    assert.equal(hand.clock.now(), 500)
  })

  it('answers nothing when nothing is dirty, and saves nothing', async () => {
    const hand = await inPreCopy()
    await hand.drain()
    assert.deepEqual(await hand.info(), [0, 0, 0])
    assert.equal(await hand.read(), 'ENOMSG')
  })

  for (const [kernel, header] of [
    ['7.2', 16],
    ['6.12', 0],
  ] as const) {
    it(`promises 80, the dirty pages and ${header} of the header in Linux ${kernel}, and the next image is made by it`, async () => {
      const hand = await inPreCopy({ kernel })
      await hand.drain()
      hand.mock.step(3)
      assert.deepEqual(await hand.info(), [0, header + 80 + 3 * 4096, 0])
      assert.equal((await hand.drain()).length, 16 + 80 + 3 * 4096)
    })
  }

  it('counts what was not read and what is dirty, and saves nothing before all was read', async () => {
    const hand = await inPreCopy()
    await hand.drain()
    hand.mock.step(2)
    await hand.info()
    hand.mock.step(1)
    const unread = 16 + 80 + 2 * 4096
    assert.deepEqual(await hand.info(), [0, unread + 80 + 4096, 0])
    assert.equal((await hand.drain()).length, unread)
    assert.deepEqual(await hand.info(), [0, 16 + 80 + 4096, 0])
  })

  it('asks the firmware nothing in PRE_COPY_P2P', async () => {
    const hand = await inPreCopy()
    await hand.drain()
    hand.mock.step(2)
    await hand.set('PRE_COPY_P2P')
    assert.deepEqual(await hand.info(), [0, 0, 0])
    await hand.set('PRE_COPY')
    assert.deepEqual(await hand.info(), [0, 16 + 80 + 2 * 4096, 0])
  })

  it('tells the estimate of the firmware, of which not all need come', async () => {
    const hand = await inPreCopy({ estimateSlack: 8000 })
    await hand.drain()
    assert.deepEqual(await hand.info(), [0, 0, 0])
    hand.mock.step()
    assert.deepEqual(await hand.info(), [0, 16 + 80 + 4096 + 8000, 0])
    assert.equal((await hand.drain()).length, 16 + 80 + 4096)
  })

  it('is EINVAL outside of pre-copy, and ENODEV on a session that has ended while another is in it', async () => {
    const hand = await inPreCopy()
    const old = hand.session
    await hand.set('RUNNING')
    assert.equal(await hand.info(), 'EINVAL')
    await hand.set('PRE_COPY')
    assert.equal((await old.precopyInfo()).result, -19)
    await hand.set('STOP_COPY')
    assert.equal(await hand.info(), 'EINVAL')
  })

  it('is ENOTTY on a session that takes in', async () => {
    const hand = hold()
    await hand.set('RESUMING')
    assert.equal(await hand.info(), 'ENOTTY')
  })
})

describe('a device that begins anew', () => {
  const anew = 80 + 16384

  it('says so to who opted in, and counts all that comes as initial bytes', async () => {
    const hand = hold({ reinit: true })
    assert.equal(await hand.backend.calls.optInPrecopyInfoV2(), 0)
    await hand.set('PRE_COPY')
    await hand.drain()
    hand.mock.reinit()
    assert.deepEqual(await hand.info(), [16 + anew, 0, 1])
    await hand.read(1000)
    assert.deepEqual(await hand.info(), [16 + anew - 1000, 0, 0])
    assert.equal((await hand.drain()).length, 16 + anew - 1000)
    assert.deepEqual(await hand.info(), [0, 0, 0])
  })

  it('saves at once, and counts what was not read before it as initial bytes too', async () => {
    const hand = hold({ reinit: true })
    await hand.backend.calls.optInPrecopyInfoV2()
    await hand.set('PRE_COPY')
    await hand.read(24)
    hand.mock.reinit()
    const unread = 16 + anew
    assert.deepEqual(await hand.info(), [unread + 16 + anew, 0, 1])
  })

  it('is one with much that is dirty to who did not opt in', async () => {
    const hand = hold({ reinit: true })
    await hand.set('PRE_COPY')
    await hand.drain()
    hand.mock.reinit()
    assert.deepEqual(await hand.info(), [0, 16 + anew, 0])
  })

  it('is that in Linux 6.12, which knows no more: the opt-in is ENOTTY', async () => {
    const hand = hold({ kernel: '6.12' })
    assert.equal(await hand.backend.calls.optInPrecopyInfoV2(), -25)
  })
})
