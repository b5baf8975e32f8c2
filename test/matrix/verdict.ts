// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { MigrationReport } from 'vfio-migrate'
import type { Case } from './case.js'
import { expectationsOf, found, stuckRows, wasTouched, type Expected } from './expectation.js'
import { ownersAtTheEnd, twoOwners } from './owners.js'
import { closeAll, type Actor, type Observed } from './stage.js'
import { checkStatuses } from './statuses.js'

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
  if (!wasTouched(given)) checkPause(seen, by)
  checkStatuses(given, seen.actors)
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

/** The arcs by which a device that runs is stopped, as a whole or for a part: there is none of them on the way back. */
const stoppingArcs: ReadonlySet<string> = new Set([
  'RUNNING -> RUNNING_P2P',
  'RUNNING -> STOP',
  'RUNNING_P2P -> STOP',
  'PRE_COPY -> PRE_COPY_P2P',
  'PRE_COPY -> STOP_COPY',
  'PRE_COPY_P2P -> STOP_COPY',
])

/** How long the source stood is told where it stood, and all of it runs again. */
function checkPause({ actors, report }: Observed, { outcome, ends }: Expected): void {
  if (report === undefined) return
  const sources = actors.filter(({ side }) => side === 'source')
  const stood = sources.some(({ mock, before }) =>
    mock.history
      .slice(before.events)
      .some(
        event =>
          event.kind === 'arc' && event.errno === 0 && stoppingArcs.has(`${event.from} -> ${event.to}`),
      ),
  )
  const isBack = outcome === 'source' && sources.every(({ mock }) => ends.get(mock.name) === 'as before')
  assert.equal(
    report.pausedMs !== undefined,
    stood && isBack,
    `it was told to have stood ${report.pausedMs} ms`,
  )
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
