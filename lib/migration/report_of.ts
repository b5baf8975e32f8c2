// SPDX-License-Identifier: Apache-2.0
import type { Finding } from '../checks/preflight_facts.ts'
import type { Moment, Outcome } from './participant.ts'
import type { MomentReport } from './participation.ts'
import type { Timeline } from './phases.ts'
import type { DowntimeParts } from './progress.ts'
import type { MigrationReport, PairReport, RoundReport } from './report.ts'
import type { Side } from './side.ts'
import type { SourceMember } from './source_member.ts'
import type { SwitchoverTimes } from './source_role.ts'
import type { Steered } from './steer.ts'

/** What a migration has come to. */
export interface Ended {
  readonly outcome: Outcome
  readonly findings: readonly Finding[]
  readonly sources: readonly Side[]
  readonly destinations: readonly Side[]
  /** None before the devices were found in order. */
  readonly members: readonly SourceMember[]
  readonly timeline: Timeline
  readonly times: SwitchoverTimes
  readonly rounds: readonly RoundReport[]
  readonly steered: Steered | undefined
  readonly moments: readonly MomentReport[]
}

/** Puts it down, with the states that the kernel answers now. */
export async function reportOf(ended: Ended): Promise<MigrationReport> {
  const { outcome, findings, sources, timeline, rounds, steered, moments, times } = ended
  const totalMs = timeline.ms
  const devices = await Promise.all(sources.map(async (_, index) => await pairOf(ended, index)))
  const { stoppingAt, runningAt, resumedAt } = times
  const stood = stoppingAt !== undefined && runningAt !== undefined
  return {
    outcome,
    findings,
    devices,
    phases: timeline.times,
    rounds,
    ...(steered && { predicted: steered.predicted }),
    ...(stoppingAt !== undefined && resumedAt !== undefined && { pausedMs: resumedAt - stoppingAt }),
    downtimeMs: stood ? runningAt - stoppingAt : 0,
    ...(stood && { downtime: partsOf(ended) }),
    participant: moments.map(moment => ({ ...moment, startedMs: moment.startedMs - timeline.begunAt })),
    ...participantDowntime(moments),
    bytes: sum(devices, ({ bytes }) => bytes),
    precopyBytes: sum(devices, ({ precopyBytes }) => precopyBytes),
    totalMs,
    mock: devices.some(({ source, destination }) => source.mock || destination.mock),
  }
}

async function pairOf({ sources, destinations, members }: Ended, index: number): Promise<PairReport> {
  const member = members[index]
  const digest = member?.outflow.digest
  const [source, destination] = await Promise.all(
    [sources, destinations].map(async sides => await sides[index]?.report()),
  )
  if (!source || !destination) throw new Error('a set has as many destinations as sources')
  return {
    source,
    destination,
    bytes: member?.outflow.bytes ?? 0,
    precopyBytes: member?.precopyBytes ?? 0,
    sideDataBytes: member?.sideDataBytes ?? 0,
    ...(digest !== undefined && { digest }),
    restarts: member?.restarts ?? 0,
    gaveUpPrecopy: member?.gaveUpPrecopy ?? false,
    samples: member?.samples ?? [],
  }
}

/** Each part ends with the last device of a set. Parts that went on at once are counted where the next one waited for them. */
function partsOf({ members, times, moments }: Ended): DowntimeParts {
  const { stoppingAt = 0, stoppedAt = 0, runningAt = 0 } = times
  const firstByteAt = Math.max(stoppedAt, ...members.map(({ firstByteAt = 0 }) => firstByteAt))
  const sentAt = Math.max(firstByteAt, ...members.map(({ lastSentAt = 0 }) => lastSentAt))
  const loadedAt = Math.max(sentAt, ...members.map(({ outflow }) => outflow.loadedAt ?? 0))
  // `stopped` goes on while the bytes flow, and counts from when they were there.
  const participantMs = Math.max(0, endOf('stopped', moments) - loadedAt) + msOf('restored', moments)
  return {
    stopArcsMs: stoppedAt - stoppingAt,
    saveMs: firstByteAt - stoppedAt,
    linkMs: sentAt - firstByteAt,
    loadMs: loadedAt - sentAt,
    startArcsMs: runningAt - loadedAt - participantMs,
    participantMs,
  }
}

function msOf(name: Moment, moments: readonly MomentReport[]): number {
  return moments.find(({ moment }) => moment === name)?.ms ?? 0
}

/** On the migration's clock; 0 for a moment that was not. */
function endOf(name: Moment, moments: readonly MomentReport[]): number {
  const found = moments.find(({ moment }) => moment === name)
  return found ? found.startedMs + found.ms : 0
}

/** From the call of `quiesce` to the return of `running`. */
function participantDowntime(moments: readonly MomentReport[]): { participantDowntimeMs?: number } {
  const [quiesce, running] = (['quiesce', 'running'] as const).map(name =>
    moments.find(({ moment }) => moment === name),
  )
  if (!quiesce || !running) return {}
  return { participantDowntimeMs: running.startedMs + running.ms - quiesce.startedMs }
}

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0)
}
