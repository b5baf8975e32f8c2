// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { migrate, MigrationError, type Moment, type Participant, type StateName } from '#lib/index.js'
import { openBottledPair } from './bottle.ts'
import { checkOneOwner, checkReport, commandsNamed, openBottledSet, type BottledSet } from './engine.ts'

const size = 64 * 2 ** 10
const mebibyte = 2 ** 20

/** Where the kernel says that a device is, asked beside the library. */
async function stateOf(address: string): Promise<string> {
  const path = `/sys/kernel/debug/vfio/${address}/migration/state`
  return (await readFile(path, 'utf8')).trim()
}

/** One moment of a participant, with what the kernel answered then: sources, then destinations. */
type Witnessed = readonly [Moment, readonly string[]]

/** What a set is in when a participant is called; it does what `acts` says besides. */
function witness(
  { from, to }: Pick<BottledSet, 'from' | 'to'>,
  acts: Participant = {},
): { participant: Participant; seen: Witnessed[] } {
  const seen: Witnessed[] = []
  const look = async (moment: Moment): Promise<void> => {
    const states = await Promise.all([...from, ...to].map(({ address }) => stateOf(address)))
    seen.push([moment, states])
  }
  const participant: Participant = {
    async quiesce(context) {
      await look('quiesce')
      await acts.quiesce?.(context)
    },
    async stopped(context) {
      await look('stopped')
      return await acts.stopped?.(context)
    },
    async restored(context) {
      await look('restored')
      await acts.restored?.(context)
    },
    async running(context) {
      await look('running')
      await acts.running?.(context)
    },
    resumed: () => look('resumed'),
    released: () => look('released'),
  }
  return { participant, seen }
}

const both = (state: StateName): StateName[] => [state, state]

describe('the participant of a migration of two bottled mlx5 functions', () => {
  it('is called when the kernel has both where they belong, and its side data arrives', async () => {
    await using set = await openBottledSet({ size })
    const { sources, destinations } = set
    const sideData = [randomBytes(mebibyte), randomBytes(1)]
    let arrived: readonly Uint8Array[] = []
    const { participant, seen } = witness(set, {
      stopped: ({ devices }) => {
        assert.deepEqual(devices, sources)
        return sideData
      },
      restored: context => {
        assert.deepEqual(context.devices, destinations)
        arrived = context.sideData
      },
    })
    const report = await migrate({ from: sources, to: destinations, participant })
    checkReport(report)
    const [running] = seen.filter(([moment]) => moment === 'running')
    // The source is let go of at the same time.
    assert.deepEqual(running?.[1].slice(2), both('RUNNING'))
    const others = seen.filter(([moment]) => moment !== 'running')
    assert.deepEqual(others, [
      ['quiesce', [...both('PRE_COPY'), ...both('RESUMING')]],
      ['stopped', [...both('STOP_COPY'), ...both('RESUMING')]],
      ['restored', [...both('STOP_COPY'), ...both('STOP')]],
      ['released', [...both('STOP'), ...both('RUNNING')]],
    ])
    assert.deepEqual(
      arrived.map(bytes => Buffer.from(bytes)),
      sideData,
    )
    assert.deepEqual(
      report.devices.map(({ sideDataBytes }) => sideDataBytes),
      [mebibyte, 1],
    )
    const moments = report.participant.map(({ moment }) => moment)
    assert.deepEqual(
      moments,
      seen.map(([moment]) => moment),
    )
    const { participantDowntimeMs = NaN, downtimeMs } = report
    assert.ok(participantDowntimeMs >= downtimeMs)
  })

  it('is called at quiesce while they run, where there is no pre-copy', async () => {
    await using set = await openBottledSet({ size })
    const { participant, seen } = witness(set)
    await migrate({ from: set.sources, to: set.destinations, participant, precopy: false })
    assert.deepEqual(seen[0], ['quiesce', [...both('RUNNING'), ...both('RESUMING')]])
  })
})

describe('a participant that refuses', () => {
  const refusal = new Error('this is no memory of mine')

  for (const moment of ['quiesce', 'stopped', 'restored'] as const) {
    it(`at '${moment}' has the source go on, and the destination never run`, async () => {
      await using pair = await openBottledPair({ size })
      const { from, to, source, destination } = pair
      await from.step(7)
      const before = await from.digest()
      const { participant, seen } = witness(
        { from: [from], to: [to] },
        { [moment]: () => Promise.reject(refusal) },
      )
      const options = { from: source, to: destination, participant, onStuck: 'leave' } as const
      await assert.rejects(migrate(options), error => {
        assert.ok(error instanceof MigrationError)
        assert.equal(error.report.outcome, 'source')
        const { code, cause } = error.cause as { code?: string; cause?: unknown }
        assert.deepEqual([code, cause], ['ERR_VFIO_PARTICIPANT', refusal])
        return true
      })
      assert.deepEqual(seen.slice(-2), [
        ['resumed', ['RUNNING', seen.at(-1)?.[1][1]]],
        ['released', ['RUNNING', seen.at(-1)?.[1][1]]],
      ])
      assert.deepEqual(await from.digest(), before)
      assert.ok(await from.isRunning())
      assert.equal(await to.isRunning(), false)
      if (moment === 'restored') {
        assert.equal(await destination.state(), 'STOP')
        // It had everything.
        assert.deepEqual(await to.digest(), before)
        assert.notEqual((await commandsNamed('LOAD', [to])).length, 0)
      }
      assert.deepEqual(await commandsNamed('RESUME_RESPONDER', [to]), [])
      assert.deepEqual(await commandsNamed('RESUME_INITIATOR', [to]), [])
      await from.step(1)
      await checkOneOwner(before.seed, [from, to])
    })
  }

  it("at 'running' has moved all the same", async () => {
    await using pair = await openBottledPair({ size })
    const { from, to, source, destination } = pair
    await from.step(7)
    const participant: Participant = { running: () => Promise.reject(refusal) }
    const report = await migrate({ from: source, to: destination, participant })
    checkReport(report)
    assert.deepEqual(await to.digest(), await from.digest())
    const [running] = report.participant
    assert.equal((running?.error as { cause?: unknown } | undefined)?.cause, refusal)
  })
})
