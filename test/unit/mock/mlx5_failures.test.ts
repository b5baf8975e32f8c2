// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { StateName } from '#lib/kernel/state.js'
import type { Fault, FaultPoint } from 'vfio-migrate/mock'
import { commands, hold, type Hand } from './hand.js'

const statuses: readonly [status: number, errno: string][] = [
  [0x1, 'EIO'],
  [0x2, 'EINVAL'],
  [0x3, 'EINVAL'],
  [0x4, 'EIO'],
  [0x5, 'EINVAL'],
  [0x6, 'EBUSY'],
  [0x7, 'EAGAIN'],
  [0x8, 'ENOMEM'],
  [0x9, 'EINVAL'],
  [0xa, 'EINVAL'],
  [0xf, 'EAGAIN'],
  [0x10, 'EINVAL'],
  [0x30, 'EINVAL'],
  [0x40, 'EINVAL'],
  [0x50, 'EIO'],
  [0x51, 'EIO'],
  [0xee, 'EIO'],
]

/** A SET that fails: the way there, the fault, the answer, and where the device is left. */
type Failure = readonly [path: StateName[], target: StateName, fault: Fault, answer: string, left: StateName]

const failures: readonly Failure[] = [
  [[], 'RUNNING_P2P', { on: 'SUSPEND_INITIATOR', status: 4 }, 'EIO', 'RUNNING'],
  [[], 'STOP', { on: 'SUSPEND_RESPONDER', errno: 'ETIMEDOUT' }, 'ETIMEDOUT', 'RUNNING_P2P'],
  [['STOP'], 'RUNNING', { on: 'RESUME_RESPONDER', status: 6 }, 'EBUSY', 'STOP'],
  [['STOP'], 'RUNNING', { on: 'RESUME_INITIATOR', status: 6 }, 'EBUSY', 'RUNNING_P2P'],
  [[], 'STOP_COPY', { on: 'QUERY', status: 7 }, 'EAGAIN', 'STOP'],
  [[], 'STOP_COPY', { on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOMEM', 'STOP'],
  [[], 'STOP_COPY', { on: 'SAVE_SUBMIT', errno: 'EIO' }, 'EIO', 'STOP'],
  [[], 'PRE_COPY', { on: 'QUERY', status: 1 }, 'EIO', 'RUNNING'],
  [[], 'PRE_COPY', { on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOMEM', 'RUNNING'],
  [[], 'PRE_COPY', { on: 'SAVE_SUBMIT', errno: 'ENOMEM' }, 'ENOMEM', 'RUNNING'],
  [[], 'RESUMING', { on: 'ALLOC_OPEN', errno: 'ENOMEM' }, 'ENOMEM', 'STOP'],
  [['PRE_COPY'], 'PRE_COPY_P2P', { on: 'WAIT_SUSPEND', errno: 'EINTR' }, 'EINTR', 'PRE_COPY'],
  [['PRE_COPY'], 'STOP_COPY', { on: 'WAIT_SUSPEND', nth: 2, errno: 'EINTR' }, 'EINTR', 'PRE_COPY_P2P'],
  [['PRE_COPY'], 'STOP_COPY', { on: 'WAIT_QUERY', errno: 'EINTR' }, 'EINTR', 'PRE_COPY_P2P'],
  [['PRE_COPY'], 'STOP_COPY', { on: 'WAIT_SAVE', errno: 'EINTR' }, 'EINTR', 'PRE_COPY_P2P'],
  [['PRE_COPY'], 'STOP_COPY', { on: 'SUSPEND_RESPONDER', status: 1 }, 'EIO', 'PRE_COPY_P2P'],
  [['PRE_COPY'], 'STOP_COPY', { on: 'QUERY', status: 1 }, 'EIO', 'PRE_COPY_P2P'],
  [['PRE_COPY'], 'STOP_COPY', { on: 'ALLOC_STOP_COPY', errno: 'ENOMEM' }, 'ENOMEM', 'PRE_COPY_P2P'],
  [['PRE_COPY'], 'RUNNING', { on: 'QUERY', status: 1 }, 'EIO', 'PRE_COPY'],
  [['PRE_COPY'], 'RUNNING', { on: 'WAIT_QUERY', errno: 'EINTR' }, 'EINTR', 'PRE_COPY'],
  [['PRE_COPY'], 'RUNNING', { on: 'SAVE_CLEANUP', status: 1 }, 'EIO', 'PRE_COPY'],
  [['PRE_COPY'], 'RUNNING', { on: 'SAVE_CLEANUP', status: 9 }, 0 as never, 'RUNNING'],
  [[], 'RESUMING', { on: 'INSTALL_FD', errno: 'EMFILE' }, 'EMFILE', 'RESUMING'],
  [[], 'PRE_COPY', { on: 'INSTALL_FD', errno: 'EFAULT' }, 'EFAULT', 'PRE_COPY'],
  [[], 'PRE_COPY', { on: 'PREPARE_SESSION', errno: 'EMFILE' }, 'EMFILE', 'RUNNING'],
]

describe('a SET on mlx5 that fails', () => {
  for (const [path, target, fault, answer, left] of failures) {
    const { on, nth = 1, ...how } = fault
    const what = Object.values(how).join(' ')
    it(`${[...path, target].join(' -> ')}, ${on} ${nth} ${what}: answers ${answer} and leaves ${left}`, async () => {
      const hand = hold()
      for (const state of path) assert.equal(await hand.answer(state), 0)
      hand.mock.inject(fault)
      assert.equal(await hand.answer(target), answer)
      assert.equal(await hand.state(), left)
      assert.equal(hand.mock.state, left)
      assert.deepEqual(hand.mock.unusedFaults(), [])
    })
  }

  for (const [status, errno] of statuses) {
    it(`ends with ${errno} for the firmware's status 0x${status.toString(16)}`, async () => {
      const hand = hold({ faults: [{ on: 'QUERY', status }] })
      assert.equal(await hand.answer('STOP_COPY'), errno)
    })
  }
})

/** In PRE_COPY, drained, with a page dirty. */
async function drained(...faults: Fault[]): Promise<Hand> {
  const hand = hold({ faults })
  await hand.set('PRE_COPY')
  await hand.drain()
  hand.mock.step()
  return hand
}

const reads = async (hand: Hand): Promise<number | string> => {
  for (;;) {
    const answer = await hand.read()
    if (typeof answer === 'string' || answer === 0) return answer
  }
}

describe('a SAVE that nobody waits for', () => {
  for (const [status] of statuses) {
    const isKnown = status === 9
    it(`${isKnown ? 'ends pre-copy silently' : 'kills the session'} when the initial one fails with 0x${status.toString(16)}`, async () => {
      const hand = hold({ faults: [{ on: 'SAVE', status }] })
      assert.equal(await hand.answer('PRE_COPY'), 0)
      assert.equal(await reads(hand), isKnown ? 'ENOMSG' : 'ENODEV')
    })
  }

  for (const errno of ['ETIMEDOUT', 'ENOLINK'] as const) {
    it(`kills the session when it ends with ${errno}`, async () => {
      const hand = hold({ faults: [{ on: 'SAVE', errno }] })
      assert.equal(await hand.answer('PRE_COPY'), 0)
      assert.equal(await reads(hand), 'ENODEV')
    })
  }

  it('shows the failure of the final one behind a SET that answered 0, whatever its status', async () => {
    for (const status of [1, 9]) {
      const hand = hold({ faults: [{ on: 'SAVE', nth: 2, status }] })
      await hand.set('PRE_COPY')
      await hand.drain()
      assert.equal(await hand.answer('STOP_COPY'), 0)
      assert.equal(await hand.read(), 'ENODEV')
      assert.equal(hand.mock.poll(), 0x2041)
      assert.equal(await hand.answer('STOP'), 0)
    }
  })
})

describe('pre-copy that has ended silently', () => {
  it('answers 24 initial bytes until record 0 is read and nothing after, and saves everything at the end', async () => {
    const hand = hold({ faults: [{ on: 'SAVE', status: 9 }] })
    await hand.set('PRE_COPY')
    assert.deepEqual(await hand.info(), [24, 0, 0])
    await hand.read()
    hand.mock.step(3)
    assert.deepEqual(await hand.info(), [0, 0, 0])
    assert.equal(await hand.answer('STOP_COPY'), 0)
    assert.equal((await hand.drain()).length, 16 + 80 + 16384)
    assert.deepEqual(commands(hand.mock).slice(-2), ['QUERY false', `SAVE false false ${5 * 4096}`])
  })

  it('saves everything also when it was an increment that failed', async () => {
    const hand = await drained({ on: 'SAVE', nth: 2, status: 9 })
    assert.deepEqual(await hand.info(), [0, 16 + 80 + 4096, 0])
    assert.equal(await hand.read(), 'ENOMSG')
    assert.equal(await hand.answer('STOP_COPY'), 0)
    assert.equal((await hand.drain()).length, 16 + 80 + 16384)
  })

  it('can be given up', async () => {
    const hand = hold({ faults: [{ on: 'SAVE', status: 9 }] })
    await hand.set('PRE_COPY')
    assert.equal(await hand.answer('RUNNING'), 0)
  })
})

describe('a session in ERROR', () => {
  async function failed(): Promise<Hand> {
    const hand = hold({ faults: [{ on: 'SAVE', status: 1 }] })
    await hand.set('PRE_COPY')
    return hand
  }

  it('answers ENODEV to precopy info, to leaving pre-copy, and to finishing it with the responder suspended', async () => {
    const hand = await failed()
    assert.equal(await hand.info(), 'ENODEV')
    assert.equal(await hand.answer('RUNNING'), 'ENODEV')
    assert.equal(await hand.state(), 'PRE_COPY')
    assert.equal(await hand.answer('STOP_COPY'), 'ENODEV')
    assert.equal(await hand.state(), 'PRE_COPY_P2P')
    assert.equal(commands(hand.mock).at(-1), 'SUSPEND_RESPONDER')
    assert.equal(await hand.answer('RUNNING_P2P'), 'ENODEV')
  })

  it('is left by a reset', async () => {
    const hand = await failed()
    assert.equal(await hand.backend.calls.reset(), 0)
    assert.equal(await hand.state(), 'RUNNING')
    assert.equal(await hand.answer('STOP_COPY'), 0)
  })
})

describe('precopy info that fails', () => {
  const points: readonly [FaultPoint, Partial<Fault>, string, dead: boolean][] = [
    ['QUERY', { status: 6, nth: 2 }, 'EBUSY', false],
    ['WAIT_QUERY', { errno: 'EINTR' }, 'EINTR', false],
    ['ALLOC_PRECOPY_INFO', { errno: 'ENOMEM' }, 'ENOMEM', true],
    ['WAIT_SAVE', { errno: 'EINTR', nth: 2 }, 'EINTR', true],
    ['SAVE_SUBMIT', { errno: 'EIO', nth: 2 }, 'EIO', true],
    ['PRECOPY_INFO', { errno: 'EFAULT' }, 'EFAULT', false],
  ]
  for (const [on, how, answer, dead] of points) {
    it(`answers ${answer} at ${on}, and the session ${dead ? 'is dead' : 'lives'}`, async () => {
      const hand = await drained({ on, ...how })
      assert.equal(await hand.info(), answer)
      assert.equal(await hand.state(), 'PRE_COPY')
      assert.equal((await hand.read()) === 'ENODEV', dead)
    })
  }
})
