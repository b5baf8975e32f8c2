// SPDX-License-Identifier: Apache-2.0
import { dryRun, migrate, MigrationError, PreflightError, preflightRules } from '../index.ts'
import type { MigrateOptions, MigrationReport, PlanOptions } from '../index.ts'
import { untilAborted } from '../abort.ts'
import type { Context } from './context.ts'
import { exitCodes } from './exit.ts'
import { CommandFailure, type Aftermath } from './failure.ts'
import { asRefusedHere } from './finding_words.ts'
import { Hands, pairsOf, refusePairs, type Pair, type TakingOptions } from './hands.ts'
import {
  chooseKeeping,
  refuseHandingOnSeveral,
  saysKeeping,
  type Keeping,
  type KeepingOptions,
} from './keeping.ts'
import { refuseHandingOn } from './mock.ts'
import type { MigrationOptions } from './move_options.ts'
import { reportOutput } from './move_output.ts'
import { participantWords, pauseWords, reportWords, warnings } from './move_words.ts'
import { participantFrom, type Seat } from './participant.ts'
import type { ParticipantOptions } from './participant_options.ts'
import { plan } from './plan.ts'
import { UsageError } from './refusals.ts'
import { openReport } from './report_file.ts'
import type { MoveOutput, ReportOutput } from './schemas/move.ts'
import { Watch } from './watch.ts'

type MoveOptions = MigrationOptions & ParticipantOptions & TakingOptions & KeepingOptions

/** `vfio-migrate move SOURCE DESTINATION [SOURCE DESTINATION…]` */
export async function move(
  names: readonly string[],
  options: MoveOptions,
  context: Context,
): Promise<number> {
  const pairs = pairsOf(names)
  checkOptions(options)
  const isKept = !options.dryRun || saysKeeping(options)
  const keeping = isKept ? await keepingOf(pairs, options, context) : undefined
  if (options.report !== undefined) context.recordTo(await openReport(options.report))
  await refusePairs(pairs, options)
  if (options.dryRun || !keeping) return await plan(pairs, options, planOptions(options), context)
  using seat = await participantFrom(options, context)
  return await moveAndKeep(pairs, keeping, { options, seat, context })
}

async function keepingOf(
  pairs: readonly Pair[],
  options: KeepingOptions,
  context: Context,
): Promise<Keeping> {
  const keeping = await chooseKeeping(options, context)
  refuseHandingOnSeveral(pairs.length, keeping)
  for (const { to } of pairs) refuseHandingOn(to, keeping)
  return keeping
}

interface Course {
  readonly options: MoveOptions
  readonly seat: Seat
  readonly context: Context
}

async function moveAndKeep(pairs: readonly Pair[], keeping: Keeping, course: Course): Promise<number> {
  const { options, context } = course
  const hands = await Hands.open(pairs, options, context)
  try {
    const report = await moveState(hands, course)
    await tell(report, hands, keeping, context)
    const given = await Promise.all(hands.sources.map(hand => hand.aftermath()))
    const isLeft = sayLeft(report, given, context)
    // Their state is the destinations' now.
    for (const hand of hands.sources) await hand.close()
    context.whenAsked(() => 'all is moved, and the destination is held here')
    for (const hand of hands.destinations) context.say(keeping.words(hand))
    const exit = await keep(hands, given, keeping)
    return exit === exitCodes.done && isLeft ? exitCodes.left : exit
  } finally {
    await hands.close()
  }
}

/** What commander cannot see of one option by itself. */
function checkOptions({ override = [], onDeadline, deadline, ...options }: MoveOptions): void {
  const rules = preflightRules.filter(({ overridable }) => overridable).map(({ id }) => id)
  const unknown = override.find(id => !rules.includes(id))
  if (unknown !== undefined)
    throw new UsageError(
      `--override ${unknown}: there is no such rule that can be overridden: ${rules.join(', ')}`,
    )
  if (onDeadline !== undefined && deadline === undefined)
    throw new UsageError('--on-deadline says what happens at the deadline: say --deadline, too')
  const { participant, quiesce, running, resumed, pci, momentLimit, participantTime } = options
  const isNamed = [participant, quiesce, running, resumed, pci].some(one => one !== undefined)
  const idle = Object.entries({ '--moment-limit': momentLimit, '--participant-time': participantTime })
  const [useless] = idle.find(([, value]) => value !== undefined && !isNamed) ?? []
  if (useless !== undefined)
    throw new UsageError(`${useless} is for a participant: say --participant, --pci or a command, too`)
}

function planOptions({ override, p2pDma, perPfLimit, precopy }: MoveOptions): PlanOptions {
  return { overrides: override, noP2pDma: !p2pDma, perPfLimit, precopy }
}

/** The names of the command line are those of the library, as far as they are not shorter. */
function migrateOptions(
  options: MoveOptions,
  { participant, limits }: Seat,
): Omit<MigrateOptions, 'from' | 'to'> {
  const { override, p2pDma, perPfLimit, precopy, bandwidth, onStuck, participantTime } = options
  const { downtimeLimit, deadline, onDeadline, maxRounds, onStall, onOverrun } = options
  const given = {
    overrides: override,
    perPfLimit,
    bandwidth,
    onStuck,
    onDeadline,
    onStall,
    onOverrun,
    maxRounds,
    participant,
    participantMs: participantTime,
    downtimeLimitMs: downtimeLimit,
    deadlineMs: deadline,
  }
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(said), precopy, noP2pDma: !p2pDma, participantLimits: limits }
}

async function moveState(hands: Hands, { options, seat, context }: Course): Promise<MigrationReport> {
  try {
    const { signal } = context
    const beforehand = await untilAborted(dryRun(hands.from, hands.to, planOptions(options)), signal)
    for (const line of warnings(beforehand.findings)) context.say(context.style('yellow', line))
    using watch = await Watch.begin(hands, beforehand, { context, resetsLent: options.onStuck === 'reset' })
    const report = await migrate({
      ...migrateOptions(options, seat),
      from: hands.from,
      to: hands.to,
      signal,
      onProgress: progress => watch.take(progress),
    })
    hands.record(report)
    return report
  } catch (error) {
    throw await afterFailure(error, hands)
  }
}

/** The library has put everything back that can be; what became of it is asked of the devices. */
async function afterFailure(error: unknown, hands: Hands): Promise<CommandFailure> {
  if (!(error instanceof MigrationError)) {
    const cause = error instanceof PreflightError ? asRefusedHere(error) : error
    return new CommandFailure(cause, await hands.aftermaths())
  }
  const { report } = error
  hands.record(report)
  return new CommandFailure(error, await hands.aftermaths(), {
    report: reportOutput(report, hands),
    advice: [...whoseWords(report), ...pauseWords(report), ...participantWords(report)],
    left: isUnresumed(report),
  })
}

function whoseWords({ outcome }: MigrationReport): string[] {
  if (outcome === 'source') return []
  const who =
    outcome === 'destination'
      ? 'The destination has taken the state over'
      : 'Nobody can say who has the state'
  return [`${who}: the source may run again only when the destination holds it no more.`]
}

/** Whoever has the CPU side still waits. */
function isUnresumed({ participant }: MigrationReport): boolean {
  return participant.some(
    ({ moment, error }) => (moment === 'resumed' || moment === 'running') && error !== undefined,
  )
}

async function tell(
  report: MigrationReport,
  hands: Hands,
  keeping: Keeping,
  context: Context,
): Promise<void> {
  const output: ReportOutput = reportOutput(report, hands)
  const left = [
    ...unstopped(report).map(({ words }) => words),
    ...(isUnresumed(report) ? participantWords(report) : []),
  ]
  const result: MoveOutput = {
    schema: 1,
    command: 'move',
    ...output,
    keeping: keeping.kind,
    left: left.length === 0 ? undefined : left,
  }
  context.outcome(result, reportWords(report))
  await context.record(result)
}

/** The destination runs: the migration has happened, and what is told here needs somebody's attention. */
function sayLeft(report: MigrationReport, given: readonly Aftermath[], context: Context): boolean {
  for (const { index, words } of unstopped(report)) {
    context.say(words)
    for (const line of given[index]?.advice ?? []) context.say(line)
  }
  for (const line of participantWords(report)) context.say(line)
  return isUnresumed(report) || report.devices.some(({ source }) => source.error !== undefined)
}

/** The sources that did not stop although their destination runs. */
function unstopped({ devices }: MigrationReport): { index: number; words: string }[] {
  return devices.flatMap(({ source: { device, error } }, index) => {
    if (error === undefined) return []
    const words = `The destination runs, but the source '${device}' could not be stopped: ${error.message}`
    return [{ index, words }]
  })
}

/** Destinations that cannot be kept as was said are made blank, where they were opened here; the sources have stopped. */
async function keep(hands: Hands, sources: readonly Aftermath[], keeping: Keeping): Promise<number> {
  const { destinations } = hands
  try {
    return await keeping.keep(destinations)
  } catch (error) {
    for (const hand of destinations) await hand.makeBlank().catch(() => undefined)
    const taken = await Promise.all(destinations.map(hand => hand.aftermath()))
    throw new CommandFailure(error, [...taken, ...sources])
  }
}
