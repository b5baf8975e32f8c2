// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { pathTo, stateNames, type StateName } from '#lib/kernel/state.js'
import { openDevice } from 'vfio-migrate'
import { commands, hold } from './hand.js'

/** The commands of each arc: drivers/vfio/pci/mlx5/main.c. SAVE: incremental, tracked. */
const commandsOf: readonly [from: StateName, to: StateName, commands: string[]][] = [
  ['RUNNING', 'RUNNING_P2P', ['SUSPEND_INITIATOR']],
  ['RUNNING_P2P', 'RUNNING', ['RESUME_INITIATOR']],
  ['RUNNING_P2P', 'STOP', ['SUSPEND_RESPONDER']],
  ['STOP', 'RUNNING_P2P', ['RESUME_RESPONDER']],
  ['RUNNING', 'PRE_COPY', ['QUERY false', 'SAVE false true']],
  ['RUNNING_P2P', 'PRE_COPY_P2P', ['QUERY false', 'SAVE false true']],
  ['PRE_COPY', 'PRE_COPY_P2P', ['SUSPEND_INITIATOR']],
  ['PRE_COPY_P2P', 'PRE_COPY', ['RESUME_INITIATOR']],
  ['PRE_COPY', 'RUNNING', ['QUERY true', 'SAVE false false']],
  ['PRE_COPY_P2P', 'RUNNING_P2P', ['QUERY true', 'SAVE false false']],
  ['PRE_COPY_P2P', 'STOP_COPY', ['SUSPEND_RESPONDER', 'QUERY true', 'SAVE true false']],
  ['STOP', 'STOP_COPY', ['QUERY false', 'SAVE false false']],
  ['STOP_COPY', 'STOP', []],
  ['STOP', 'RESUMING', []],
  ['RESUMING', 'STOP', []],
]

describe('an arc of mlx5', () => {
  for (const [from, to, expected] of commandsOf) {
    it(`${from} -> ${to} gives the firmware ${expected.join(', ') || 'nothing'}`, async () => {
      const hand = hold()
      if (from !== 'RUNNING') await hand.set(from)
      const before = commands(hand.mock).length
      assert.equal(await hand.answer(to), 0)
      const given = commands(hand.mock).slice(before)
      assert.deepEqual(
        given.map(command =>
          command
            .split(' ')
            .slice(0, command.startsWith('SAVE') ? 3 : 2)
            .join(' '),
        ),
        expected,
      )
    })
  }

  it('takes the time of its commands, and an asynchronous SAVE none', async () => {
    const latency = {
      SUSPEND_INITIATOR: 1,
      SUSPEND_RESPONDER: 2,
      RESUME_RESPONDER: 4,
      RESUME_INITIATOR: 8,
      QUERY: 16,
      SAVE: 32,
    }
    const hand = hold({ latency })
    const path: [StateName, number][] = [
      ['RUNNING_P2P', 1],
      ['STOP', 2],
      ['STOP_COPY', 16],
      // It waits for the SAVE.
      ['STOP', 32],
      ['RUNNING', 4 + 8],
      ['PRE_COPY', 16],
      ['PRE_COPY_P2P', 32 + 1],
      ['STOP_COPY', 2 + 16],
    ]
    for (const [to, ms] of path) {
      const { times } = await hand.set(to)
      assert.equal((times[1] ?? 0) - (times[0] ?? 0), ms, to)
    }
  })

  it('takes its bytes over its bandwidth beside that', async () => {
    const hand = hold({ latency: { SAVE: 10 }, bandwidth: { save: 16_464_000, load: 1_646_400 } })
    await hand.set('STOP_COPY')
    await hand.read(24)
    const begun = hand.clock.now()
    await hand.read(1)
    // 80 + 16384 bytes.
    assert.equal(hand.clock.now() - begun, 11)
  })
})

describe('the state machine of a simulated mlx5', () => {
  const flags = { p2p: true, preCopy: true }
  for (const from of stateNames.slice(1)) {
    for (const to of stateNames.slice(1)) {
      const path = pathTo(from, to, flags)
      it(`${from} -> ${to}: ${path ? path.join(', ') || 'nothing' : 'EINVAL'}, in one SET and arc by arc`, async () => {
        const hand = hold()
        if (from !== 'RUNNING') await hand.set(from)
        const arcs = hand.mock.history.length
        assert.equal(await hand.answer(to), path ? 0 : 'EINVAL')
        assert.equal(await hand.state(), path ? to : from)
        const made = hand.mock.history.slice(arcs).flatMap(event => (event.kind === 'arc' ? [event.to] : []))
        assert.deepEqual(made, path ?? [])
        const device = await openDevice(hold().backend)
        if (from !== 'RUNNING') await device.setState(from)
        const driven = device.setState(to)
        if (path)
          assert.deepEqual(
            (await driven).map(arc => arc.to),
            path,
          )
        else await assert.rejects(driven, { code: 'ERR_VFIO_NO_PATH' })
      })
    }
  }

  it('opens a session on the way into the saving group and into RESUMING, and keeps it within the group', async () => {
    const hand = hold()
    const opens = async (to: StateName): Promise<boolean> => (await hand.set(to)).session !== undefined
    const path = [
      'PRE_COPY',
      'PRE_COPY_P2P',
      'PRE_COPY',
      'STOP_COPY',
      'STOP',
      'RESUMING',
      'STOP_COPY',
      'RUNNING',
    ] as const
    const seen: boolean[] = []
    for (const to of path) seen.push(await opens(to))
    assert.deepEqual(seen, [true, false, false, false, false, true, true, false])
  })

  it('refuses ERROR, and what is no state, and changes nothing', async () => {
    const hand = hold()
    for (const number of [0, 8, 255]) {
      assert.equal((await hand.backend.calls.setStates([number])).result, -22)
    }
    assert.equal(await hand.state(), 'RUNNING')
  })
})
