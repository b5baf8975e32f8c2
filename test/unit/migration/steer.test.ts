// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Clock } from '#lib/clock.js'
import { Estimator } from '#lib/migration/estimate.js'
import { presetPolicy } from '#lib/migration/policy.js'
import type { DeviceOutlook, Policy, PolicyProgress, RoundSample } from '#lib/migration/progress.js'
import { steer, type RoundPort } from '#lib/migration/steer.js'

const mlx5: DeviceOutlook = {
  precopy: 'incremental',
  stateBytes: 1_000_000,
  arcMs: 1,
  stopArcs: 2,
  startArcs: 2,
}
const none: DeviceOutlook = { precopy: 'none', stateBytes: 1_000_000, arcMs: 1, stopArcs: 2, startArcs: 2 }

/** A device whose images all have `bytes`, 10 ms a round. */
class Rounds implements RoundPort {
  readonly asked: number[] = []
  #now = 0
  readonly clock: Clock = { now: () => this.#now, after: () => () => undefined }

  round(number: number): Promise<readonly RoundSample[]> {
    this.asked.push(number)
    const times = { askedAt: this.#now, askMs: 1, firstByteMs: 2, sendMs: 4, loadMs: 3, reinit: false }
    this.#now += 10
    const isFirst = number === 1
    const bytes = isFirst ? 1_000_000 : 1000
    return Promise.resolve([
      { ...times, bytes, initialBytes: isFirst ? bytes : 0, dirtyBytes: isFirst ? 0 : bytes },
    ])
  }
}

describe('steer', () => {
  it('asks for nothing between the decision and its end', async () => {
    const port = new Rounds()
    const policy: Policy = ({ round }) => (round < 3 ? 'continue' : 'switch')
    const steered = await steer(port, { policy, estimator: new Estimator([mlx5]) })
    assert.deepEqual(port.asked, [1, 2, 3])
    assert.equal(steered.rounds, 3)
    assert.equal(steered.decision, 'switch')
  })

  it('tells what was decided by, round by round', async () => {
    const told: PolicyProgress[] = []
    const policy: Policy = ({ round }) => ({
      decision: round < 2 ? 'continue' : 'abort',
      why: `round ${round}`,
    })
    const steered = await steer(new Rounds(), {
      ...{ policy, estimator: new Estimator([mlx5]), participantMs: 7 },
      onRound: (progress, { why }) => {
        assert.equal(why, `round ${progress.round}`)
        told.push(progress)
      },
    })
    assert.deepEqual(
      told.map(({ round, elapsedMs }) => [round, elapsedMs]),
      [
        [1, 10],
        [2, 20],
      ],
    )
    assert.deepEqual(
      told.map(({ history }) => history.length),
      [0, 1],
    )
    assert.equal(told[0]?.predicted.parts.participantMs, 7)
    assert.deepEqual(
      steered.history,
      told.map(({ predicted }) => predicted),
    )
    assert.deepEqual([steered.decision, steered.why], ['abort', 'round 2'])
  })

  it('makes no round where no device has pre-copy, and takes going on for a switch', async () => {
    const port = new Rounds()
    const steered = await steer(port, { policy: () => 'continue', estimator: new Estimator([none]) })
    assert.deepEqual(port.asked, [])
    assert.deepEqual([steered.decision, steered.rounds], ['switch', 0])
  })

  it('lets a policy abort where no device has pre-copy', async () => {
    const steered = await steer(new Rounds(), { policy: () => 'abort', estimator: new Estimator([none]) })
    assert.equal(steered.decision, 'abort')
  })

  it('ends with an AbortError between two rounds', async () => {
    const port = new Rounds()
    const cancel = new AbortController()
    const policy: Policy = () => {
      cancel.abort()
      return 'continue'
    }
    const steering = steer(port, { policy, estimator: new Estimator([mlx5]), signal: cancel.signal })
    await assert.rejects(steering, { name: 'AbortError' })
    assert.deepEqual(port.asked, [1])
  })

  it('refuses a policy that decides nothing', async () => {
    const policy = (() => 'maybe') as unknown as Policy
    await assert.rejects(
      steer(new Rounds(), { policy, estimator: new Estimator([mlx5]) }),
      /'continue', 'switch' or 'abort'/,
    )
  })

  it('refuses a limit that is none, and tells one that is', async () => {
    const limited = (limitMs: unknown): Policy =>
      (() => ({ decision: 'switch', why: 'enough', limitMs })) as unknown as Policy
    const estimator = new Estimator([mlx5])
    for (const wrong of [0, -1, NaN, '300'])
      await assert.rejects(steer(new Rounds(), { policy: limited(wrong), estimator }), /limitMs/)
    const { limitMs, atMs } = await steer(new Rounds(), { policy: limited(40), estimator })
    assert.deepEqual([limitMs, atMs], [40, 10])
  })

  it('ends with the preset by itself', async () => {
    const steered = await steer(new Rounds(), { policy: presetPolicy(), estimator: new Estimator([mlx5]) })
    assert.equal(steered.decision, 'switch')
    assert.ok(steered.rounds >= 2)
  })
})
