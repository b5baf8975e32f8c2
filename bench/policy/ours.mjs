// SPDX-License-Identifier: Apache-2.0
// This library's stop rule on simulated devices: the loop, the estimator, the policy and the rule to turn back that migrate() runs.
import { Estimator } from '../../dist/migration/estimate.js'
import { overrun } from '../../dist/migration/overrun.js'
import { presetPolicy } from '../../dist/migration/policy.js'
import { promiseWaitMs } from '../../dist/migration/promise.js'
import { steer } from '../../dist/migration/steer.js'
import { Saving } from './device.mjs'
import { shared } from './flow.mjs'
import { switchOver } from './switchover.mjs'

/** After so many rounds a run is taken for one without an end. */
const mostRounds = 10_000

/** @type {Record<import('./workloads.mjs').Driver, import('../../dist/kernel/drivers.js').PrecopyClass>} */
const precopyClass = { mlx5: 'incremental', virtio: 'full', setup: 'setup', none: 'none' }

/**
 * @typedef {object} Outcome
 * @property {boolean} canImprove pre-copy could have gone on
 * @property {boolean} turnedBack the source runs again: it had far more to give than was foreseen
 * @property {number} downtimeMs the pause of the source, where it has turned back
 * @property {number} bytes moved while the devices stood
 * @property {number} predictedMs
 * @property {number} worstMs
 * @property {number} rounds
 * @property {number} precopyMs
 * @property {string} why
 * @property {number} movedBytes in pre-copy
 * @property {number} savedBytes by the firmware, in pre-copy
 */

/** @param {import('./world.mjs').World} world @param {object} [options] of the policy @param {() => void} [onRound] told of each decision @returns {Promise<Outcome>} */
export async function ours(world, options = {}, onRound = () => undefined) {
  const { devices, limitMs, participantMs } = world.workload
  const port = new Port(world)
  const arcMs = devices.map(({ suspendMs }) => (world.command(suspendMs) + world.command(suspendMs)) / 2)
  const outlooks = devices.map((device, index) => ({
    precopy: precopyClass[device.driver],
    stateBytes: device.stateBytes,
    arcMs: arcMs[index],
    stopArcs: 2,
    startArcs: 2,
    precopyArcMs: port.savings[index].enteredAt,
    chunkBytes: device.chunkBytes,
  }))
  const estimator = new Estimator(outlooks)
  const steered = await steer(port, {
    policy: presetPolicy({ downtimeLimitMs: limitMs, ...options }),
    estimator,
    participantMs,
    onRound,
  })
  const at = port.clock.now()
  const { downtimeMs, bytes, turnedBack } = switchOver(
    world,
    at,
    (index, suspendedAt) => port.savings[index].finalBytes(suspendedAt),
    standing => overrun(estimator, steered, standing) !== undefined,
  )
  const { predicted, why, rounds } = steered
  const canImprove = estimator.canImprove
  const savedBytes = port.savings.reduce((sum, saving) => sum + saving.savedBytes, 0)
  return {
    ...{
      downtimeMs,
      bytes,
      predictedMs: predicted.downtimeMs,
      worstMs: predicted.worstMs,
      rounds,
      why,
      canImprove,
    },
    ...{ precopyMs: at, movedBytes: port.movedBytes, savedBytes, turnedBack },
  }
}

/** A run that does not end by itself. */
export class Endless extends Error {}

/** Rounds of pre-copy, without anybody waiting: time is a number. */
class Port {
  savings
  movedBytes = 0
  /** @type {import('../../dist/migration/progress.js').RoundSample[][]} by device */
  #samples
  #world
  #now

  /** @param {import('./world.mjs').World} world */
  constructor(world) {
    this.#world = world
    this.savings = world.workload.devices.map((_, index) => new Saving(world, index, 0))
    this.#samples = this.savings.map(() => [])
    this.#now = Math.max(...this.savings.map(({ enteredAt }) => enteredAt))
  }

  clock = {
    now: () => this.#now,
    after: () => {
      throw new Error('nothing waits in a simulation without waiting')
    },
  }

  /** @param {number} number */
  round(number) {
    if (number > mostRounds) throw new Endless()
    const askedAt = this.#now
    const asked = this.savings.map(saving =>
      saving.device.driver === 'none' ? undefined : saving.ask(askedAt),
    )
    const sent = this.#send(asked)
    let endsAt = askedAt
    const samples = asked.map((answer, index) => {
      if (!answer) return undefined
      const sample = this.#sample(answer, sent[index], index, askedAt)
      endsAt = Math.max(endsAt, sample.endsAt)
      this.#samples[index].push(sample.sample)
      return sample.sample
    })
    this.#now = endsAt
    return Promise.resolve(samples)
  }

  /** @param {(import('./device.mjs').Answer | undefined)[]} asked */
  #send(asked) {
    const shipments = asked.map(answer => {
      const readyAt = Math.max(answer?.answeredAt ?? this.#now, answer?.image?.savedAt ?? 0)
      return { readyAt, bytes: answer?.image?.bytes ?? 0 }
    })
    return shared(this.#world.link, shipments).map((arrivedAt, index) => ({ arrivedAt, ...shipments[index] }))
  }

  /**
   * @param {import('./device.mjs').Answer} answer
   * @param {{ arrivedAt: number, readyAt: number, bytes: number }} sent
   * @param {number} index
   * @param {number} askedAt
   */
  #sample(answer, { arrivedAt, readyAt, bytes }, index, askedAt) {
    const { answeredAt, initialBytes, dirtyBytes, reinit } = answer
    const asked = { askedAt, askMs: answeredAt - askedAt, initialBytes, dirtyBytes, reinit, bytes }
    if (bytes === 0) {
      const isAwaited = initialBytes + dirtyBytes > 0
      const endsAt = isAwaited ? answeredAt + promiseWaitMs(this.#samples[index]) : answeredAt
      return { endsAt, sample: { ...asked, firstByteMs: 0, sendMs: 0, loadMs: 0 } }
    }
    const { loadMs, loadBytesPerMs } = this.savings[index].device
    const loading = this.#world.transfer(loadMs, bytes, loadBytesPerMs) + this.#world.workload.rttMs
    this.movedBytes += bytes
    const sample = {
      ...asked,
      firstByteMs: readyAt - answeredAt,
      sendMs: arrivedAt - readyAt,
      loadMs: loading,
    }
    return { endsAt: arrivedAt + loading, sample }
  }
}
