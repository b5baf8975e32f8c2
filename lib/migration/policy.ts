// SPDX-License-Identifier: Apache-2.0
import type { Decision, Policy, PolicyProgress, Prediction, Reasoned } from './progress.ts'

/** The stop rule that `migrate` uses. */
export interface PresetPolicyOptions {
  /** The longest downtime that is wanted, in ms: 300 unless told otherwise. */
  readonly downtimeLimitMs?: number
  /**
   * Pre-copy is over so long after it began, in ms, and a round that is under way is cut short. Only an image that was promised
   * and does not come is waited for, at most ten seconds. None by default.
   */
  readonly deadlineMs?: number | undefined
  /** What then: `switch` whatever the downtime (the default), or `abort`. */
  readonly onDeadline?: 'switch' | 'abort'
  /** The most rounds. None by default. */
  readonly maxRounds?: number | undefined
  /**
   * What to do over the limit when three rounds have made the predicted downtime no tenth shorter: `switch` all the same
   * (the default), `abort`, or `continue`, which without a deadline may go on for ever.
   */
  readonly onStall?: 'switch' | 'continue' | 'abort'
  /**
   * What to do where it was switched within the limit, and a device that stands has so much more to give than was foreseen
   * that the limit would be exceeded by half: `abort`, so that the source runs again (the default), or `switch` all the same.
   */
  readonly onOverrun?: 'abort' | 'switch'
}

interface Rules {
  readonly downtimeLimitMs: number
  readonly deadlineMs: number
  readonly onDeadline: 'switch' | 'abort'
  readonly maxRounds: number
  readonly onStall: Decision
  readonly onOverrun: 'abort' | 'switch'
}

/** Rounds that may bring no gain before there is nothing to hope for. */
const patience = 3
/** The same where the downtime is within the limit but may turn out longer: each round shows more of what may happen. */
const caution = 10
/** What counts as a gain: a tenth. */
const gain = 0.9

/**
 * Switches when the downtime that is to be expected is within the limit, also if things go badly, and another round would
 * make it little shorter; and where going on is no use. It never switches before the initial bytes of all devices are
 * loaded, unless a deadline forces it or they do not come.
 *
 * @throws TypeError or RangeError that names the field for a value that means nothing.
 */
export function presetPolicy(options: PresetPolicyOptions = {}): Policy {
  const rules = checked(options)
  return progress => decide(progress, rules)
}

function decide(progress: PolicyProgress, rules: Rules): Reasoned {
  const { round, elapsedMs, canImprove, initialBytesLeft, predicted, history } = progress
  const { downtimeLimitMs, deadlineMs, onDeadline, maxRounds, onStall } = rules
  const isWithin = predicted.downtimeMs <= downtimeLimitMs
  const foreseen = `${ms(predicted.downtimeMs)} of downtime foreseen, ${ms(downtimeLimitMs)} wanted`
  if (elapsedMs >= deadlineMs)
    return { decision: onDeadline, why: `the deadline of ${ms(deadlineMs)} has passed: ${foreseen}` }
  if (!canImprove)
    return {
      decision: isWithin || onStall !== 'abort' ? 'switch' : 'abort',
      why: `another round would change nothing: ${foreseen}`,
    }
  if (initialBytesLeft > 0)
    return { decision: 'continue', why: `${initialBytesLeft} initial bytes are not loaded` }
  if (round >= maxRounds)
    return { decision: 'switch', why: `these were all ${maxRounds} rounds: ${foreseen}` }
  if (history.length === 0)
    return { decision: 'continue', why: 'what changes from round to round is not known yet' }
  if (!isWithin) {
    if (!stalls(progress, patience)) return { decision: 'continue', why: foreseen }
    return { decision: onStall, why: `${patience} rounds have brought no gain: ${foreseen}` }
  }
  return decideWithin(progress, foreseen, rules)
}

function decideWithin(
  progress: PolicyProgress,
  foreseen: string,
  { downtimeLimitMs, onOverrun }: Rules,
): Reasoned {
  const { worstMs } = progress.predicted
  const promise = onOverrun === 'abort' && { limitMs: downtimeLimitMs }
  if (worstMs > downtimeLimitMs) {
    const why = `${foreseen}, but it may come to ${ms(worstMs)}`
    if (!stalls(progress, caution)) return { decision: 'continue', why }
    return { decision: 'switch', why: `${why}; ${caution} rounds have brought no gain`, ...promise }
  }
  if (gains(progress)) return { decision: 'continue', why: `${foreseen}, and rounds still make it shorter` }
  return { decision: 'switch', why: foreseen, ...promise }
}

/** The last `rounds` rounds have made the predicted downtime no tenth shorter than it once was. */
function stalls({ predicted, history }: PolicyProgress, rounds: number): boolean {
  const all = [...history, predicted]
  return all.length > rounds && least(all.slice(-rounds)) > gain * least(all.slice(0, -rounds))
}

function gains({ predicted, history }: PolicyProgress): boolean {
  const last = history.at(-1)
  return last !== undefined && predicted.downtimeMs < gain * last.downtimeMs
}

function least(predictions: readonly Prediction[]): number {
  return predictions.reduce((so, { downtimeMs }) => Math.min(so, downtimeMs), Infinity)
}

function ms(value: number): string {
  return `${Number(value.toPrecision(3))} ms`
}

function checked(options: PresetPolicyOptions): Rules {
  const { downtimeLimitMs = 300, deadlineMs = Infinity, onDeadline = 'switch' } = options
  const { maxRounds = Infinity, onStall = 'switch', onOverrun = 'abort' } = options
  checkAbove0({ downtimeLimitMs, deadlineMs, maxRounds })
  if (maxRounds !== Infinity && !Number.isInteger(maxRounds))
    throw new RangeError(`maxRounds is a whole number, and not ${maxRounds}`)
  checkWord('onDeadline', onDeadline, ['switch', 'abort'])
  checkWord('onStall', onStall, ['switch', 'continue', 'abort'])
  checkWord('onOverrun', onOverrun, ['abort', 'switch'])
  return { downtimeLimitMs, deadlineMs, onDeadline, maxRounds, onStall, onOverrun }
}

function checkAbove0(fields: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'number') throw new TypeError(`${name} is a number, and not ${typeof value}`)
    if (!(value > 0)) throw new RangeError(`${name} is more than 0, and not ${value}`)
  }
}

function checkWord(name: string, value: unknown, words: readonly string[]): void {
  if (words.includes(value as string)) return
  throw new TypeError(`${name} is one of ${words.join(', ')}, and not ${JSON.stringify(value)}`)
}
