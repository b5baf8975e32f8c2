// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { RecordedEvent } from '#lib/mock/history.js'
import type { Case, SideName } from './case.js'
import { failuresOf, leftStopAt, type Failure } from './failures.js'
import { linesWith, listed, type Line } from './page.js'
import type { Actor, Observed } from './stage.js'

/** How a case has to end, from docs/recovery.md. */
export interface Expected {
  /** The row that says so. */
  readonly id: string
  readonly outcome: string
  readonly cause: string
  /** The rows of the way back. */
  readonly ways: readonly string[]
  /** By the name of the device. */
  readonly ends: ReadonlyMap<string, string>
}

const callRows = linesWith('id', 'side', 'when', 'fails')
const deedRows = linesWith('id', 'what', 'when', 'cause').filter(({ side }) => side === undefined)
const handRows = linesWith('id', 'side', 'what', 'when').filter(({ fails }) => fails === undefined)
export const stuckRows = linesWith('origin', 'onStuck', 'wasReset')

/** A case in which nothing fails that anybody could see. */
const happens: Line = {
  id: 'nothing fails',
  outcome: 'destination',
  source: 'stopped',
  destination: 'running',
  cause: 'none',
}

/** What was asked of a case, told by the rows that it may end by: more than one where only chance decides. */
export function expectationsOf(given: Case, seen: Observed): Expected[] {
  const failures = failuresOf(seen.actors)
  if (wasTouched(given)) return byHand(given, seen, failures)
  const first = failures.find(({ when }) => when !== 'way back')
  if (given.faults?.some(({ fault }) => fault.flip !== undefined))
    return byChance(['load-write', 'stop-incomplete', 'load-incomplete', 'load-arc'], seen, failures)
  if ((given.faults?.length ?? 0) > 1) return byTwo(seen, failures)
  const row = rowOf(given, seen, first)
  return [expected(row, seen, first?.actor, failures)]
}

/** Where two fail at about one time either may be the first; a device that its own failure leaves stuck is that in any case. */
function byTwo(seen: Observed, failures: readonly Failure[]): Expected[] {
  const ahead = failures.filter(({ when }) => when !== 'way back')
  const own = new Map<Actor, Failure>()
  for (const failure of ahead.toReversed()) own.set(failure.actor, failure)
  const rows = [...own.values()].map(failure => ({ failure, row: callRow(failure, seen) }))
  return rows.map(({ row, failure }) => expected(row, seen, failure.actor, failures))
}

/** Which of these it is cannot be foreseen. */
function byChance(ids: readonly string[], seen: Observed, failures: readonly Failure[]): Expected[] {
  return ids.map(id =>
    expected({ ...found(callRows, row => row.id === id), cause: 'any' }, seen, undefined, failures),
  )
}

function rowOf(given: Case, seen: Observed, first: Failure | undefined): Line {
  const failed = first && callRow(first, seen)
  if (given.faults?.some(({ fault }) => fault.cut !== undefined) && first?.fails !== 'RESUMING -> STOP')
    return found(callRows, ({ id }) => id === 'stop-incomplete')
  const done = deedRow(given, seen)
  // What was done before anything failed is what is told, where it was heard.
  const isHeard = given.participant !== undefined || done?.cause !== 'none'
  if (done && (failed === undefined || (isHeard && wasFirst(given, seen, first)))) return done
  if (failed) return failed
  return happens
}

function wasFirst(given: Case, seen: Observed, first: Failure | undefined): boolean {
  if (first === undefined || given.participant) return true
  const deedAt = seen.deedAt[seen.actors.indexOf(first.actor)] ?? 0
  return deedAt <= first.index
}

function callRow({ side, when, fails, actor }: Failure, { actors }: Observed): Line {
  const others = actors.filter(one => one.side === 'destination' && (one !== actor || fails === 'ERROR'))
  const haveRun = when === 'run' && others.some(one => leftStopAt(one) < Infinity)
  const rows = callRows.filter(row => row.side === side && listed(row.when).includes(when))
  const isOfSet = (row: Line): boolean => (row.fails ?? '').includes('of the set has left')
  const row =
    rows.find(row => isOfSet(row) === haveRun && listed(row.fails).includes(fails)) ??
    rows.find(row => !isOfSet(row) && listed(row.fails).includes(fails))
  assert.ok(row, `docs/recovery.md has no row for: ${side}, ${when}, ${fails}`)
  return row
}

function deedRow(given: Case, seen: Observed): Line | undefined {
  const deed = given.at?.deed ?? given.whileHeld
  const { participant } = given
  const isAnew = participant?.how === 'begins anew'
  const what = participant ? (isAnew ? 'begins anew' : 'participant fails') : deed?.kind
  if (what === undefined || seen.deedIn === undefined) return undefined
  return found(deedRows, row => row.what === what && listed(row.when).includes(seen.deedIn ?? ''))
}

export function found(rows: readonly Line[], which: (row: Line) => boolean): Line {
  const row = rows.find(which)
  assert.ok(row, 'docs/recovery.md has no such row')
  return row
}

const grave: ReadonlySet<string> = new Set(['stuck', 'halted', 'failed'])

function expected(
  row: Line,
  seen: Observed,
  failed: Actor | undefined,
  failures: readonly Failure[],
): Expected {
  const ends = new Map<string, string>()
  const ways: string[] = []
  for (const actor of seen.actors) {
    const isOther = failed !== undefined && actor.mock.name.split('-')[1] !== failed.mock.name.split('-')[1]
    ends.set(actor.mock.name, isOther ? endOfOther(actor, row) : (row[actor.side] ?? ''))
  }
  // What a device's own failure leaves it as it is, whoever's the first was.
  for (const failure of failures.filter(({ when }) => when !== 'way back')) {
    const own = callRow(failure, seen)
    const end = own[failure.side] ?? ''
    if (own.outcome === row.outcome && grave.has(end)) ends.set(failure.actor.mock.name, end)
  }
  for (const { actor, side, fails, when } of failures.filter(({ when }) => when === 'way back')) {
    const way = found(
      callRows,
      line => line.side === side && line.when === when && listed(line.fails).includes(fails),
    )
    ends.set(actor.mock.name, way[side] ?? '')
    ways.push(way.id ?? '')
  }
  const { id = '', outcome = '', cause = '' } = row
  return { id, outcome, cause, ways, ends }
}

/** A device of a set, of which another pair failed. */
function endOfOther({ side }: Actor, row: Line): string {
  if (row.outcome === 'source') return side === 'source' ? 'as before' : 'given up'
  if (side === 'source') return 'stopped'
  if (row.cause === 'any') return 'halted or running'
  return row.destination === 'halted' ? 'halted' : 'running'
}

function byHand(given: Case, seen: Observed, failures: readonly Failure[]): Expected[] {
  const deed = given.at?.deed ?? given.whileHeld
  const byFault = given.faults?.find(({ fault }) => fault.reset)
  const hand = byFault ?? (deed && 'side' in deed ? deed : undefined)
  const what = byFault || deed?.kind === 'reset' ? 'reset' : 'moved'
  const actor = seen.actors.find(({ mock }) => mock.name === `${hand?.side}-${hand?.member}`)
  assert.ok(actor)
  const when = whenTouched(actor, seen)
  const rows = handRows.filter(
    row => row.side === actor.side && row.what === what && when.has(row.when ?? ''),
  )
  assert.ok(rows.length > 0, `docs/recovery.md has no row for: ${actor.side}, ${what}, ${[...when].join()}`)
  return rows.map(row =>
    expected(
      { ...row, cause: 'any' },
      seen,
      actor,
      failures.filter(one => one.actor !== actor),
    ),
  )
}

/** Where the hand of somebody else met the device, by what it had done before: it may have gone on meanwhile. */
function whenTouched(actor: Actor, { actors, deedAt, deedOver, isInVain }: Observed): Set<string> {
  const { before, mock } = actor
  const byFault = mock.history.findIndex((event, index) => index >= before.events && isReset(event))
  const index = actors.indexOf(actor)
  const ends = [deedAt[index] ?? byFault, deedOver[index] ?? byFault]
  const moments = ends.map(end => momentOf(actor, mock.history.slice(before.events, end)))
  return new Set(moments.map(moment => (isInVain ? `${moment} in vain` : moment)))
}

function momentOf({ side }: Actor, until: readonly RecordedEvent[]): string {
  const made = until.flatMap(event => (event.kind === 'arc' && event.errno === 0 ? [event] : []))
  const count = (kind: 'call' | 'answer'): number =>
    until.filter(event => event.kind === kind && event.call === 'setStates').length
  if (made.length === 0 && count('call') === count('answer')) return 'before'
  if (side === 'source') return hasGiven(until) ? 'given' : 'giving'
  const loaded = made.findIndex(({ from }) => from === 'RESUMING')
  return loaded >= 0 && made.length > loaded + 1 ? 'run' : 'taking'
}

/** Its last byte was read: a 0 behind the arc into STOP_COPY. */
function hasGiven(until: readonly RecordedEvent[]): boolean {
  const stopped = until.findLastIndex(
    event => event.kind === 'arc' && event.to === 'STOP_COPY' && event.errno === 0,
  )
  if (stopped < 0) return false
  return until
    .slice(stopped)
    .some(event => event.kind === 'answer' && event.call === 'read' && event.result === 0)
}

function isReset(event: RecordedEvent): boolean {
  return event.kind === 'event' && event.event === 'reset'
}

/** Somebody else had a hand in it: at this side, or at either. */
export function wasTouched({ at, whileHeld, faults }: Case, side?: SideName): boolean {
  const deed = at?.deed ?? whileHeld
  const sides = [
    ...(deed && 'side' in deed ? [deed.side] : []),
    ...(faults ?? []).flatMap(struck => (struck.fault.reset ? [struck.side] : [])),
  ]
  return side === undefined ? sides.length > 0 : sides.includes(side)
}
