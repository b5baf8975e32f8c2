// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { type Device, openDevice } from '../device.ts'
import { flag, said, states, stateNumbers, type State } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import { printedRow, type Outcome } from './grid.ts'

/** Goes to `from` anew, loaded with `whole` where that is RESUMING, and tells what one SET of `to` does. */
async function setOnce(device: Device, from: State, to: State, whole: Uint8Array): Promise<Outcome> {
  await device.reset()
  const { session } = await device.go(from)
  if (from === 'RESUMING') assert.equal(await session?.write(whole), whole.length)
  const answer = await device.set(to)
  const outcome = {
    answer: answer.result === 0 ? 'ok' : String(said(answer.result)),
    state: await device.state(),
    fd: answer.session !== undefined,
  } as Outcome
  await Promise.all([session?.close(), answer.session?.close()])
  return outcome
}

/** On the kernel the table is a function of the core's: drivers with other flags are asked by test/kernel/next_state. */
const machines: readonly (readonly [flags: number, evidence: Evidence])[] = [
  [flag.STOP_COPY, 'read only'],
  [flag.STOP_COPY | flag.P2P, 'read only'],
  [flag.STOP_COPY | flag.PRE_COPY, 'read only'],
  [flag.STOP_COPY | flag.P2P | flag.PRE_COPY, ['core']],
]

const rows = machines.flatMap(([flags, evidence]) =>
  states.flatMap((from): Rule[] => {
    const row = printedRow(flags, from)
    if (row === undefined) return []
    return [
      {
        id: `grid-${flags}-${from}`,
        name: `with the flags ${flags}, one SET from ${from} to each of the eight states does what the table says`,
        where: 'state machine',
        evidence,
        needs: { exactFlags: flags },
        async run(subject) {
          await using device = await openDevice(subject)
          const whole = await device.save()
          for (const to of states)
            assert.deepEqual(await setOnce(device, from, to, whole), row[to], `${from} to ${to}`)
        },
      },
    ]
  }),
)

/** xe's driver stops the function in its PF when the table refuses a SET: nothing is left to be asked but a reset. */
const mayRefuse: Needs = { flavours: ['mlx5', 'virtio', 'hisi_acc', 'qat', 'pds', 'mtty'] }

export const stateMachine: readonly Rule[] = [
  ...rows,
  {
    id: 'xe-refused',
    name: 'after a SET that the table refuses xe goes nowhere until it is reset',
    where: 'state machine',
    evidence: 'read only',
    needs: { flavours: ['xe'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await device.answerTo('PRE_COPY'), 'EINVAL')
      assert.equal(await device.state(), 'RUNNING')
      assert.notEqual(await device.answerTo('STOP'), 0)
      await device.reset()
      await device.go('STOP')
    },
  },
  {
    id: 'set-same-state',
    name: 'a SET of the state that there is answers 0, gives out nothing and leaves the session alone',
    where: 'state machine',
    evidence: ['mtty', 'mlx5'],
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const whole = await device.save()
      const session = await device.begin('RESUMING')
      const again = await device.go('RESUMING')
      assert.deepEqual([again.session, await device.state()], [undefined, 'RESUMING'])
      assert.equal(await session.write(whole), whole.length)
    },
  },
  {
    id: 'set-impossible-state',
    name: 'a number that is no state, and ERROR, are EINVAL and change nothing',
    where: 'state machine',
    evidence: ['core'],
    needs: mayRefuse,
    async run(subject) {
      await using device = await openDevice(subject)
      for (const from of ['RUNNING', 'STOP', 'STOP_COPY'] as const) {
        await device.go(from)
        for (const number of [0, 8, 9, 255, 0xffffffff]) {
          assert.equal(said((await device.calls.setStates([number])).result), 'EINVAL', `${number}`)
          assert.equal(await device.state(), from)
        }
      }
    },
  },
  {
    id: 'set-list-stops',
    name: 'a list of SETs stops at the first that fails, and tells how many succeeded and when each was answered',
    where: 'state machine',
    evidence: ['mtty', 'mlx5'],
    needs: mayRefuse,
    async run(subject) {
      await using device = await openDevice(subject)
      const { STOP, ERROR, RUNNING } = stateNumbers
      const { result, done, times } = await device.calls.setStates([STOP, ERROR, RUNNING])
      assert.deepEqual([said(result), done, times.length], ['EINVAL', 1, 3])
      assert.deepEqual([...times], [...times].sort((a, b) => a - b)) // prettier-ignore
      assert.equal(await device.state(), 'STOP')
    },
  },
  {
    id: 'arcs-are-counted',
    name: 'every SET that succeeds is counted over the life of the device, and no other',
    where: 'state machine',
    evidence: ['mtty', 'mlx5'],
    needs: mayRefuse,
    async run(subject) {
      await using device = await openDevice(subject)
      const { arc } = await device.go('STOP')
      assert.equal((await device.set('ERROR')).arc, arc)
      assert.equal((await device.go('RUNNING', 'STOP')).arc, arc + 2)
      assert.equal((await device.go('STOP')).arc, arc + 3)
      await device.reset()
      assert.equal((await device.go('STOP')).arc, arc + 4)
    },
  },
  {
    id: 'unreachable-from-stop-copy',
    name: 'from STOP_COPY there is no way into the pre-copy states; the session lives on',
    where: 'state machine',
    evidence: ['mtty', 'mlx5'],
    needs: { flags: flag.P2P | flag.PRE_COPY },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('STOP_COPY')
      for (const to of ['PRE_COPY', 'PRE_COPY_P2P'] as const)
        assert.equal(await device.answerTo(to), 'EINVAL')
      assert.equal(await device.state(), 'STOP_COPY')
      assert.ok((await session.read(1, 0)).result > 0)
    },
  },
]
