// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { openBottle } from './bottle.ts'
import { eventually } from './bottle_wait.ts'
import type { BottledFunction } from './bottled.ts'
import { participantIova, startParticipant, type Participant } from './participant.ts'

const size = 64 * 1024
const child = fileURLToPath(new URL('../../dist-test/kernel/child/move_lent.js', import.meta.url))

/** Waits until one of the function's counters of beats goes up. */
async function grows(bottled: BottledFunction, name: string): Promise<void> {
  const before = (await bottled.beats())[name]
  await eventually(async () => (await bottled.beats())[name] !== before)
}

async function giveAll(participant: Participant, index: number): Promise<void> {
  for (const order of [`map ${index}`, `master ${index} 1`, `irqs ${index}`]) await participant.order(order)
}

describe('the beats of a bottled mlx5 function', () => {
  it('arrive with a mapping, the bus-master bit and a vector, and without one of them do not', async () => {
    await using bottle = await openBottle({ size, functions: 1 })
    const [bottled] = bottle.functions
    assert.ok(bottled)
    await using participant = await startParticipant([bottled.address])
    await bottled.setWindow({ iova: participantIova, vector: 0 })

    await grows(bottled, 'not_master')
    await participant.order('master 0 1')
    await grows(bottled, 'unmapped')
    await participant.order('map 0')
    await grows(bottled, 'written')
    await grows(bottled, 'masked')
    await participant.order('irqs 0')
    const first = await participant.nextBeat(0)
    const { digest, epoch, seed } = await bottled.digest()
    assert.deepEqual([first?.digest, first?.epoch, first?.seed], [digest, epoch, seed])
    await bottled.step(3)
    await participant.nextBeat(0)
    assert.equal((await participant.nextBeat(0))?.epoch, 3n)

    await participant.order('unmap 0')
    await grows(bottled, 'unmapped')
    await participant.order('master 0 0')
    await grows(bottled, 'not_master')
  })

  it('may lie in two pages of memory', async () => {
    await using bottle = await openBottle({ size, functions: 1 })
    const [bottled] = bottle.functions
    assert.ok(bottled)
    await using participant = await startParticipant([bottled.address])
    await giveAll(participant, 0)
    await bottled.setWindow({ iova: participantIova + 4096n - 16n, vector: 0 })
    assert.ok(await participant.nextBeat(0))
    await bottled.setWindow({ iova: participantIova + 8192n - 16n, vector: 0 })
    await grows(bottled, 'unmapped')
  })

  it('go on at the destination after a migration by a process that the devices were lent to', async () => {
    await using bottle = await openBottle({ size, rate: size })
    const [from, to] = bottle.functions
    assert.ok(from && to)
    await using participant = await startParticipant([from.address, to.address])
    await giveAll(participant, 0)
    await giveAll(participant, 1)
    await from.setWindow({ iova: participantIova, vector: 0 })
    const before = await participant.nextBeat(0)
    assert.equal(await participant.lend([process.execPath, child]), 0)
    const last = await participant.beat(0)
    const next = await participant.nextBeat(1)
    assert.equal(next?.seed, before?.seed)
    assert.ok(next && next.epoch >= last.epoch)
    assert.deepEqual([await from.isRunning(), await to.isRunning()], [false, true])
    // Neither was reset: not by the lent devices' close, nor by what moved them.
    assert.deepEqual([await from.resets(), await to.resets()], [1, 1])
  })

  it('do not arrive at a destination whose participant has not restored what it needs', async () => {
    await using bottle = await openBottle({ size })
    const [from, to] = bottle.functions
    assert.ok(from && to)
    await using participant = await startParticipant([from.address, to.address])
    await giveAll(participant, 0)
    await from.setWindow({ iova: participantIova, vector: 0 })
    assert.ok(await participant.nextBeat(0))
    assert.equal(await participant.lend([process.execPath, child]), 0)
    await grows(to, 'not_master')
    await giveAll(participant, 1)
    assert.ok(await participant.nextBeat(1))
  })
})
