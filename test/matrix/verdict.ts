// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { MigrationReport } from 'vfio-migrate'
import type { RecordedEvent } from '#lib/mock/history.js'
import type { Case, SideName } from './case.js'
import { failuresOf, leftStopAt, type Failure } from './failures.js'
import { ownersAtTheEnd, twoOwners } from './owners.js'
import { linesWith, listed, type Line } from './page.js'
import { closeAll, type Actor, type Observed } from './stage.js'

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
const stuckRows = linesWith('origin', 'onStuck', 'wasReset')

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
  // What was done before anything failed is what is told.
  if (done && (failed === undefined || wasFirst(given, seen, first))) return done
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
  const what = given.participant ? 'participant fails' : deed?.kind
  if (what === undefined || seen.deedIn === undefined) return undefined
  return found(deedRows, row => row.what === what && listed(row.when).includes(seen.deedIn ?? ''))
}

function found(rows: readonly Line[], which: (row: Line) => boolean): Line {
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

/** Holds what came of a case against one row, and against what must hold whatever happens. */
export async function hold(given: Case, seen: Observed, one: Expected): Promise<void> {
  check(given, seen, one)
  checkOwners(seen, one)
  await checkClosed(seen)
}

/** Holds a case against the page, and against what must hold whatever happens. Answers the rows that it ended by. */
export async function judge(given: Case, seen: Observed): Promise<readonly string[]> {
  const expectations = expectationsOf(given, seen)
  const failures: unknown[] = []
  let by: Expected | undefined
  for (const one of expectations) {
    try {
      check(given, seen, one)
      checkOwners(seen, one)
      by ??= one
    } catch (error) {
      failures.push(error instanceof Error ? new Error(`by '${one.id}': ${error.message}`) : error)
    }
  }
  if (by === undefined) throw new Error(failures.map(String).join('; '))
  checkMoments(seen, by)
  await checkClosed(seen)
  return [by.id, ...by.ways]
}

function check(given: Case, seen: Observed, { outcome, cause, ends }: Expected): void {
  const { actors, report } = seen
  checkCause(seen, outcome, cause)
  if (report === undefined) {
    for (const actor of actors) {
      const end = ends.get(actor.mock.name) ?? ''
      if (end === 'failed') assert.equal(actor.mock.state, 'ERROR')
      else if (end !== 'theirs') checkAsBefore(actor)
    }
    return
  }
  assert.equal(report.outcome, outcome, 'outcome')
  for (const actor of actors) checkEnd(given, seen, actor, ends.get(actor.mock.name) ?? '')
  for (const [member, digests] of seen.digests.entries()) {
    if (digests && outcome === 'destination' && !wasTouched(given, 'source'))
      assert.equal(digests.destination, digests.source, `digests of ${member}`)
  }
}

/** Somebody else had a hand in it: at this side, or at either. */
function wasTouched({ at, whileHeld, faults }: Case, side?: SideName): boolean {
  const deed = at?.deed ?? whileHeld
  const sides = [
    ...(deed && 'side' in deed ? [deed.side] : []),
    ...(faults ?? []).flatMap(struck => (struck.fault.reset ? [struck.side] : [])),
  ]
  return side === undefined ? sides.length > 0 : sides.includes(side)
}

function checkCause({ error, cause, report }: Observed, outcome: string, expectedCause: string): void {
  if (expectedCause === 'any') return
  if (expectedCause === 'none') {
    assert.equal(error, undefined, `it failed: ${String(error)}`)
    return
  }
  assert.ok(error instanceof Error && cause instanceof Error, 'it did not fail')
  if (expectedCause === 'errno') assert.equal(cause.name, 'VfioSystemError', String(cause))
  else if (expectedCause === 'thrown') assert.equal(cause.message, 'from the callback')
  else if (expectedCause !== 'first')
    assert.equal((cause as NodeJS.ErrnoException).code, expectedCause, String(cause))
  if (report) assert.equal((error as NodeJS.ErrnoException).code, 'ERR_VFIO_MIGRATION')
  else assert.equal(outcome, 'source')
}

function reportOf(
  report: MigrationReport,
  { side, mock }: Actor,
): MigrationReport['devices'][number]['source'] {
  const pair = report.devices[Number(mock.name.split('-')[1])]
  assert.ok(pair)
  return pair[side]
}

function checkEnd(given: Case, seen: Observed, actor: Actor, end: string): void {
  assert.ok(seen.report)
  const told = reportOf(seen.report, actor)
  const { mock, before } = actor
  const say = `${mock.name} is to be ${end}, and is in ${mock.state}${told.wasReset ? ' after a reset' : ''} (${told.recovery}, ${told.error?.message ?? 'no error'})`
  // Somebody else may have been at work after the report.
  if (told.state !== undefined && !wasTouched(given))
    assert.equal(told.state, mock.state, `${say}: what is told`)
  const made = mock.history.slice(before.events)
  if (end === 'given up') {
    const wasResumed = made.some(
      event => event.kind === 'arc' && event.to === 'RESUMING' && event.errno === 0,
    )
    checkEnd(given, seen, actor, wasResumed ? 'stuck' : 'as before')
    return
  }
  if (end === 'as before') {
    checkAsBefore(actor, say, told)
    return
  }
  if (end === 'stuck') {
    checkStuck(given, actor, told, say)
    return
  }
  if (end === 'stands') {
    assert.deepEqual([told.wasReset, told.recovery, mock.state], [false, 'none', 'STOP_COPY'], say)
    return
  }
  if (end === 'failed') {
    assert.deepEqual([told.wasReset, told.recovery, mock.state], [false, 'reset', 'ERROR'], say)
    return
  }
  if (end === 'halted or running') {
    assert.equal(told.wasReset, false, say)
    return
  }
  if (end === 'halted') {
    assert.equal(told.wasReset, false, say)
    assert.ok(told.error, `${say}: no error`)
    assert.equal(told.recovery, told.state === undefined ? 'reset' : 'none', say)
    return
  }
  if (end === 'theirs') {
    assert.equal(told.wasReset, false, say)
    assert.equal(mock.state, seen.movedTo ?? 'RUNNING', say)
    return
  }
  assert.deepEqual([told.wasReset, told.recovery, told.error], [false, 'none', undefined], say)
  assert.equal(mock.state, end === 'stopped' ? 'STOP' : 'RUNNING', say)
}

function checkAsBefore(
  { mock, before }: Actor,
  say = `${mock.name} is to be as before`,
  told?: ReturnType<typeof reportOf>,
): void {
  assert.equal(mock.state, before.state, say)
  assert.equal(mock.seed, before.seed, `${say}: another state`)
  assert.ok(mock.epoch >= before.epoch, `${say}: it began anew`)
  if (told) assert.deepEqual([told.wasReset, told.recovery, told.error], [false, 'none', undefined], say)
}

function checkStuck(
  { scene, faults }: Case,
  { mock, side }: Actor,
  told: ReturnType<typeof reportOf>,
  say: string,
): void {
  const row = found(stuckRows, line => line.origin === scene.origin && line.onStuck === (scene.onStuck ?? ''))
  const hasNoReset = faults?.some(
    ({ fault, ...struck }) => fault.on === 'RESET' && mock.name === `${struck.side}-${struck.member}`,
  )
  const wasReset = row.wasReset === 'true' && hasNoReset !== true
  assert.equal(told.wasReset, wasReset, say)
  assert.equal(told.recovery, hasNoReset ? 'reset' : row.recovery, `${say}: recovery`)
  if (wasReset) assert.equal(mock.state, 'RUNNING', say)
  else if (side === 'destination') assert.ok(['RESUMING', 'STOP', 'ERROR'].includes(mock.state), say)
}

const opensSession = /^(STOP|RUNNING|RUNNING_P2P)$/

/** At no moment two owners, and at the end the one that the report names. */
function checkOwners({ actors }: Observed, { outcome, ends }: Expected): void {
  const destinations = actors.filter(({ side }) => side === 'destination')
  for (const [member, source] of actors.filter(({ side }) => side === 'source').entries()) {
    const destination = destinations[member]
    assert.ok(destination)
    assert.deepEqual(twoOwners(source.mock, destination.mock), [])
    const owners = ownersAtTheEnd(source.mock, destination.mock)
    const [from, to] = [source.mock.name, destination.mock.name]
    if (ends.get(to) === 'running') assert.deepEqual(owners, [to])
    else if (ends.get(from) === 'as before' && source.before.state !== 'STOP')
      assert.deepEqual(owners, [from])
    else if (outcome === 'destination') assert.ok(!owners.includes(from), `${from} runs all the same`)
    else assert.ok(!owners.includes(to), `${to} runs all the same`)
  }
  for (const { mock } of actors) assert.equal(mock.crashed, undefined, 'a kernel crashed')
}

/** Whoever was told to let go is told how it ended: by `resumed`, or by `running` where all of the destination run. */
function checkMoments({ moments }: Observed, { outcome, ends }: Expected): void {
  const times = (moment: string): number => moments.filter(one => one === moment).length
  const wasQuiesced = times('quiesce')
  assert.ok(wasQuiesced <= 1, moments.join())
  const isBack = outcome === 'source'
  assert.equal(times('resumed'), isBack ? wasQuiesced : 0, `${moments.join()}: resumed`)
  if (isBack) assert.equal(times('running'), 0, `${moments.join()}: running`)
  if ([...ends.values()].includes('running')) assert.equal(times('running'), 1, `${moments.join()}: running`)
  if (times('released') > 0) assert.deepEqual([times('released'), moments.at(-1)], [1, 'released'])
}

/** Each session that a device was given has been closed. */
async function checkClosed({ actors }: Observed): Promise<void> {
  await closeAll(actors)
  for (const { mock } of actors) {
    const { history } = mock
    const opened = history.filter(
      event =>
        event.kind === 'arc' &&
        event.errno === 0 &&
        opensSession.test(event.from) &&
        /RESUMING|STOP_COPY|PRE_COPY/.test(event.to),
    ).length
    const withoutFd = history.filter((event, index) => {
      if (event.kind !== 'answer' || event.call !== 'setStates' || event.result >= 0) return false
      const last = history.slice(0, index).findLast(one => one.kind === 'arc' || one.kind === 'call')
      return last?.kind === 'arc' && last.errno === 0
    }).length
    const closed = history.filter(event => event.kind === 'call' && event.call === 'close data_fd').length
    assert.ok(closed >= opened - withoutFd, `${mock.name} has ${opened} sessions, and ${closed} were closed`)
  }
}
