// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { validateFault, type FaultTarget } from 'vfio-migrate/mock'
import { hold } from './hand.js'

const mlx5: FaultTarget = {
  flavour: 'mlx5',
  capabilities: { stopCopy: true, p2p: true, preCopy: true, dmaLogging: true },
}
const pds: FaultTarget = {
  flavour: 'pds',
  capabilities: { stopCopy: true, p2p: true, preCopy: false, dmaLogging: true },
}

describe('a fault is refused, and the field named,', () => {
  const refused: readonly [what: string, fault: unknown, target: FaultTarget, message: RegExp][] = [
    ['that is no object', 'SAVE', mlx5, /^fault: it is no object/],
    [
      'at a point that there is not',
      { on: 'SAVES', status: 1 },
      mlx5,
      /^fault\.on: mlx5 has no point 'SAVES'/,
    ],
    ['at a point of another flavour', { on: 'ADAPTER_RECOVERY' }, mlx5, /^fault\.on: mlx5 has no point/],
    [
      'at an arc that fails by its commands',
      { on: 'RUNNING->RUNNING_P2P', errno: 'EIO' },
      mlx5,
      /^fault\.on/,
    ],
    ['at an arc that the device lacks', { on: 'RUNNING->PRE_COPY', errno: 'EIO' }, pds, /^fault\.on/],
    ['at what needs a capability that it lacks', { on: 'PRECOPY_INFO', errno: 'EFAULT' }, pds, /^fault\.on/],
    [
      'with a field that there is not',
      { on: 'SAVE', state: 1 },
      mlx5,
      /^fault\.state: a fault has no such field/,
    ],
    [
      'with a status of two bytes',
      { on: 'SAVE', status: 256 },
      mlx5,
      /^fault\.status: it is 256, not a whole number/,
    ],
    [
      'with no errno',
      { on: 'SAVE', errno: 'EWHAT' },
      mlx5,
      /^fault\.errno: it is EWHAT, not the name of an errno/,
    ],
    [
      'with an errno that cannot be there',
      { on: 'READ', errno: 'EIO' },
      mlx5,
      /^fault\.errno: READ cannot end with EIO/,
    ],
    ['with a status where no firmware is', { on: 'READ', status: 1 }, mlx5, /^fault\.status: READ has none/],
    [
      'with a hold where nothing waits',
      { on: 'ALLOC_OPEN', hold: true },
      mlx5,
      /^fault\.hold: ALLOC_OPEN has none/,
    ],
    [
      'with an event that is to answer',
      { on: 'TRACKER', errno: 'EIO' },
      mlx5,
      /^fault\.errno: TRACKER has none/,
    ],
    [
      'with a status and an errno',
      { on: 'SAVE', status: 1, errno: 'EIO' },
      mlx5,
      /^fault\.errno: .* not with both/,
    ],
    [
      'with nothing that happens',
      { on: 'SAVE', nth: 3 },
      mlx5,
      /^fault: nothing is to happen at SAVE: give status or/,
    ],
    ['with the time before the first', { on: 'SAVE', nth: 0, status: 1 }, mlx5, /^fault\.nth: it is 0/],
  ]
  for (const [what, fault, target, message] of refused) {
    it(what, () => {
      assert.throws(() => validateFault(fault, target), { name: 'TypeError', message })
    })
  }
})

describe('faults', () => {
  it('strike at the nth time from when they are given, once, and are unused before', async () => {
    const hand = hold()
    await hand.backend.calls.dataSize()
    hand.mock.inject({ on: 'QUERY', nth: 2, status: 1 })
    const answers: number[] = []
    for (let k = 0; k < 3; k++) {
      answers.push(await hand.backend.calls.dataSize())
      if (k === 0) assert.deepEqual(hand.mock.unusedFaults(), [{ on: 'QUERY', nth: 2, status: 1 }])
    }
    assert.deepEqual(answers, [80 + 16384, -5, 80 + 16384])
    assert.deepEqual(hand.mock.unusedFaults(), [])
  })

  it('of one point strike in the order in which they were given', async () => {
    const hand = hold({
      faults: [
        { on: 'QUERY', status: 1 },
        { on: 'QUERY', status: 6 },
      ],
    })
    const ask = (): Promise<number> => hand.backend.calls.dataSize()
    assert.deepEqual([await ask(), await ask(), await ask()], [-5, -16, 80 + 16384])
  })

  it('hold until they are released, and end as they say', async () => {
    const hand = hold({ faults: [{ on: 'QUERY', hold: true, status: 6 }] })
    assert.equal(hand.mock.held, 0)
    const asking = hand.backend.calls.dataSize()
    await hand.mock.untilHeld()
    assert.equal(hand.mock.held, 1)
    await hand.clock.sleep(1000)
    assert.equal(hand.mock.held, 1)
    hand.mock.releaseHeld()
    assert.equal(await asking, -16)
    assert.equal(hand.mock.held, 0)
  })

  it('are recorded: the command, and how it ended', async () => {
    const hand = hold({ latency: { QUERY: 5 }, faults: [{ on: 'QUERY', errno: 'ETIMEDOUT' }] })
    await hand.backend.calls.dataSize()
    assert.deepEqual(hand.mock.history.slice(-4), [
      { at: 0, kind: 'call', call: 'dataSize', args: [] },
      { at: 0, kind: 'command', command: 'QUERY', args: { incremental: false } },
      { at: 5, kind: 'status', command: 'QUERY', status: 0, errno: -110 },
      { at: 5, kind: 'answer', call: 'dataSize', result: -110 },
    ])
  })
})
