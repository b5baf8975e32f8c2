// SPDX-License-Identifier: Apache-2.0
import { throwIfAborted } from '../abort.ts'
import type { Clock } from '../clock.ts'
import type { Estimator } from './estimate.ts'
import type { Decision, Policy, PolicyProgress, Prediction, Reasoned, RoundSample } from './progress.ts'

/** How pre-copy is driven: by the engine with devices, by a simulation with numbers. */
export interface RoundPort {
  readonly clock: Clock
  /**
   * One round of all devices: precopy info is asked on a drained queue, then what was promised is moved and loaded.
   * Undefined for a device without pre-copy. Rounds count from 1.
   */
  round(number: number): Promise<readonly (RoundSample | undefined)[]>
}

export interface SteerOptions {
  readonly policy: Policy
  readonly estimator: Estimator
  /** What the participant is expected to take while the devices stand. */
  readonly participantMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Told after every round what was decided. What it throws ends the migration. */
  readonly onRound?: (progress: PolicyProgress, reasoned: Reasoned) => void
}

/** How pre-copy ended. */
export interface Steered {
  readonly decision: 'switch' | 'abort'
  readonly why: string
  /** As the policy told it with its decision. */
  readonly limitMs?: number | undefined
  /** When it was decided, on the port's clock. */
  readonly atMs: number
  /** The downtime that the decision was made for. */
  readonly predicted: Prediction
  readonly rounds: number
  /** The prediction after each round, the last one included. */
  readonly history: readonly Prediction[]
}

/**
 * Pre-copy, round by round, until the policy says that it is enough. Asking for precopy info begins the next image on some
 * drivers, so nothing is asked between the decision and the switch. Where no device has pre-copy there is no round, and
 * to go on means to switch.
 *
 * @throws AbortError when `signal` has fired between two rounds, and whatever the port, the policy and `onRound` throw.
 * @throws TypeError for a policy that decides nothing, or by a limit that is none.
 */
export async function steer(port: RoundPort, options: SteerOptions): Promise<Steered> {
  const { policy, estimator, signal, onRound } = options
  const begun = port.clock.now()
  const history: Prediction[] = []
  for (let round = estimator.hasPreCopy ? 1 : 0; ; round++) {
    throwIfAborted(signal)
    if (round > 0) estimator.observe(await port.round(round))
    const now = port.clock.now()
    const predicted = estimator.predict(now, options.participantMs)
    const { canImprove, initialBytesLeft } = estimator
    const progress = {
      round,
      elapsedMs: now - begun,
      initialBytesLeft,
      canImprove,
      predicted,
      history: history.slice(-remembered),
    }
    const reasoned = asked(policy, progress)
    onRound?.(progress, reasoned)
    history.push(predicted)
    const { decision, why, limitMs } = reasoned
    const steered = { atMs: now, predicted, rounds: round, history }
    if (decision !== 'continue') return { decision, why, limitMs, ...steered }
    if (round === 0) return { decision: 'switch', why: 'no device has pre-copy', ...steered }
  }
}

/** How many rounds a policy is told of: what came before says nothing any more. */
const remembered = 100

const decisions: ReadonlySet<unknown> = new Set<Decision>(['continue', 'switch', 'abort'])

function asked(policy: Policy, progress: PolicyProgress): Reasoned {
  const answer = policy(progress)
  const reasoned = typeof answer === 'string' ? { decision: answer, why: 'the policy said so' } : answer
  if (!decisions.has((reasoned as Partial<Reasoned> | undefined)?.decision))
    throw new TypeError(`a policy answers 'continue', 'switch' or 'abort', and not ${JSON.stringify(answer)}`)
  const { limitMs } = reasoned
  if (limitMs === undefined || (typeof limitMs === 'number' && limitMs > 0)) return reasoned
  throw new TypeError(`the limitMs of a policy is a number above 0, and not ${JSON.stringify(limitMs)}`)
}
