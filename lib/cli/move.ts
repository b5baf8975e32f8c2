// SPDX-License-Identifier: Apache-2.0
import {
  findDevice,
  isMockName,
  migrate,
  MigrationError,
  type Arc,
  type MigrationReport,
  type PairReport,
  type SideReport,
} from '../index.ts'
import { refuseBlankMock, refuseBlankSource } from './blank_source.ts'
import type { Context } from './context.ts'
import { exitCodes } from './exit.ts'
import { CommandFailure, causeOutput, type Aftermath } from './failure.ts'
import { Hand, lentFd, type OpeningOptions } from './hand.ts'
import { chooseKeeping, type Keeping, type KeepingOptions } from './keeping.ts'
import { checkMock, refuseHandingOn } from './mock.ts'
import { arcText, bytesText, msText } from './quantity.ts'
import { UsageError } from './refusals.ts'
import type { MoveOutput, SideOutput } from './schemas/move.ts'
import { pairs } from './table.ts'

interface MoveOptions extends OpeningOptions, KeepingOptions {
  readonly blankSource?: boolean
}

/** `vfio-migrate move SOURCE DESTINATION` */
export async function move(
  [from = '', to = '']: readonly string[],
  options: MoveOptions,
  context: Context,
): Promise<number> {
  const keeping = await chooseKeeping(options, context)
  refuseHandingOn(to, keeping)
  await refuseBlankSource(from, options)
  await refuseOneDevice(from, to)
  const source = await Hand.take(from, options, context)
  let destination: Hand | undefined
  try {
    refuseBlankMock(from, source, options)
    destination = await Hand.take(to, options, context)
    const report = await moveState(source, destination, context)
    tell(report, source, destination, keeping, context)
    const given = await source.aftermath()
    const why = pairOf(report).source.error
    if (why) sayStuck(why, given, context)
    // Its state is the destination's now.
    await source.close()
    context.say(keeping.words(destination))
    const exit = await keep(destination, given, keeping)
    return exit === exitCodes.done && why ? exitCodes.left : exit
  } finally {
    await destination?.close()
    await source.close()
  }
}

/** Looks for the destination, too, before the source is opened. Each mock that is named is another one. */
async function refuseOneDevice(from: string, to: string): Promise<void> {
  const [source, destination] = await Promise.all([from, to].map(nameOf))
  if (source === destination && !from.startsWith('mock:'))
    throw new UsageError(`'${to}' is the source: name another device as the destination`)
}

async function nameOf(name: string): Promise<string> {
  if (isMockName(name)) {
    await checkMock(name)
    return name
  }
  return lentFd(name) === undefined ? (await findDevice(name)).name : name
}

async function moveState(source: Hand, destination: Hand, { signal }: Context): Promise<MigrationReport> {
  try {
    await Promise.all([source.device.state(), destination.device.state()])
    const report = await migrate({ from: source.device, to: destination.device, signal })
    source.arcs.push(...pairOf(report).source.arcs)
    destination.arcs.push(...pairOf(report).destination.arcs)
    return report
  } catch (error) {
    throw await afterFailure(error, source, destination)
  }
}

/** The library has let the source run again where it may; a destination that was opened here is made blank. */
async function afterFailure(error: unknown, source: Hand, destination: Hand): Promise<CommandFailure> {
  if (error instanceof MigrationError) {
    source.arcs.push(...pairOf(error.report).source.arcs)
    destination.arcs.push(...pairOf(error.report).destination.arcs)
  }
  await destination.makeBlank().catch(() => undefined)
  const first = await source.aftermath()
  const second = await destination.aftermath()
  return new CommandFailure(error, first.restored && !second.restored ? [second, first] : [first, second])
}

/** The destination runs: the migration has happened, and the source needs somebody's attention. */
function sayStuck(why: Error, { advice }: Aftermath, context: Context): void {
  context.say(`The destination runs, but the source could not be stopped: ${why.message}`)
  for (const line of advice) context.say(line)
}

/** A destination that cannot be kept as was said is made blank, where it was opened here; the source has stopped. */
async function keep(destination: Hand, source: Aftermath, keeping: Keeping): Promise<number> {
  try {
    return await keeping.keep(destination)
  } catch (error) {
    await destination.makeBlank().catch(() => undefined)
    throw new CommandFailure(error, [await destination.aftermath(), source])
  }
}

function tell(
  report: MigrationReport,
  source: Hand,
  destination: Hand,
  keeping: Keeping,
  context: Context,
): void {
  const { bytes, precopyBytes, rounds, downtimeMs, totalMs } = report
  const pair = pairOf(report)
  const result: MoveOutput = {
    schema: 1,
    command: 'move',
    source: sideOutput(source, pair.source),
    destination: sideOutput(destination, pair.destination),
    mock: report.mock || undefined,
    bytes,
    precopyBytes,
    rounds: rounds.length,
    downtimeMs,
    totalMs,
    keeping: keeping.kind,
  }
  context.outcome(result, words(report))
}

function pairOf({ devices }: MigrationReport): PairReport {
  const [pair] = devices
  if (pair === undefined) throw new Error('a migration has a device')
  return pair
}

function sideOutput(hand: Hand, { arcs, state, error }: SideReport): SideOutput {
  return { device: hand.output(), arcs: [...arcs], state, error: error && causeOutput(error) }
}

function words(report: MigrationReport): string {
  const { bytes, precopyBytes, rounds, downtimeMs, totalMs } = report
  const { source, destination } = pairOf(report)
  return pairs([
    ['source', `${nameText(source)}, in ${source.state}\n${arcsText(source.arcs)}`],
    ['destination', `${nameText(destination)}, in ${destination.state}\n${arcsText(destination.arcs)}`],
    [
      'moved',
      `${bytesText(bytes)}, ${bytesText(precopyBytes)} of them while the source ran (${rounds.length} ${rounds.length === 1 ? 'round' : 'rounds'})`,
    ],
    ['downtime', msText(downtimeMs)],
    ['total', msText(totalMs)],
  ])
}

function nameText({ device, driver, mock }: SideReport): string {
  return mock ? `${device}, a mock of ${driver}` : device
}

function arcsText(arcs: readonly Arc[]): string {
  return arcs.map(arcText).join('\n')
}
