// SPDX-License-Identifier: Apache-2.0
// What the tests of the engine ask of its report, and what the firmware's logs have to say to it.
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { openDevice, type Device, type MigrationReport, type OpenOptions } from '#lib/index.js'
import type { MigrationProgress } from '#lib/migration/options.js'
import { openBottle, type Bottle, type BottleOptions } from './bottle.ts'
import type { BottledFunction, Command, Point } from './bottled.ts'

/** Functions of one physical function that move into those of another; all open. */
export interface BottledSet extends AsyncDisposable {
  readonly bottle: Bottle
  readonly from: readonly BottledFunction[]
  readonly to: readonly BottledFunction[]
  readonly sources: readonly Device[]
  readonly destinations: readonly Device[]
}

/** Two functions, and two of another physical function to move them into, whose workload stands. */
export async function openBottledSet(
  options: BottleOptions = {},
  how: OpenOptions = {},
): Promise<BottledSet> {
  const bottle = await openBottle({ ...options, functions: 4 })
  const [first] = bottle.functions
  const from = bottle.functions.filter(({ pf }) => pf === first?.pf)
  const to = bottle.functions.filter(({ pf }) => pf !== first?.pf)
  assert.deepEqual([from.length, to.length], [2, 2])
  for (const bottled of to) await bottled.set({ rate: 0 })
  const open = async (functions: readonly BottledFunction[]): Promise<Device[]> => {
    const devices = []
    for (const { address } of functions) devices.push(await openDevice(address, how))
    return devices
  }
  const [sources, destinations] = [await open(from), await open(to)]
  return {
    bottle,
    from,
    to,
    sources,
    destinations,
    async [Symbol.asyncDispose]() {
      await bottle.takeBackFaults()
      for (const device of [...sources, ...destinations]) await device.close()
      await bottle[Symbol.asyncDispose]()
    },
  }
}

/** The commands of that name that these functions executed, in the order in which they began. */
export async function commandsNamed(name: Point, functions: readonly BottledFunction[]): Promise<Command[]> {
  const all = await Promise.all(functions.map(bottled => bottled.commands()))
  return all
    .flat()
    .filter(command => command.name === name)
    .sort((one, other) => Number(one.begin - other.begin))
}

export const lastEnd = (commands: readonly Command[]): bigint =>
  commands.reduce((last, { end }) => (end > last ? end : last), 0n)

export const firstBegin = (commands: readonly Command[]): bigint => commands[0]?.begin ?? 0n

/** Sizes of what a function saved or loaded, in bytes. */
export const bytesOf = (commands: readonly Command[]): number[] =>
  commands.map(({ fields }) => Number(fields.bytes))

/** Every epoch of the state was run once, by whichever function: there never were two owners. */
export async function checkOneOwner(seed: bigint, functions: readonly BottledFunction[]): Promise<void> {
  const all = await Promise.all(functions.map(bottled => bottled.runs()))
  const runs = all
    .flat()
    .filter(run => run.seed === seed)
    .sort((one, other) => Number(one.first - other.first))
  let epoch = 0n
  for (const { first, after } of runs) {
    assert.equal(first, epoch, `epoch ${first} of seed ${seed} comes after ${epoch}`)
    epoch = after
  }
}

/** docs/preflight.md, "The plan". */
const phases = [
  'preflight',
  'prepare',
  'precopy',
  'quiesce',
  'stop-copy',
  'load',
  'complete',
  'commit',
  'run',
  'release',
]

/** What holds of every migration that succeeded, whatever was moved. */
export function checkReport(report: MigrationReport): void {
  assert.deepEqual(
    report.phases.map(({ phase }) => phase),
    phases,
  )
  const begins = report.phases.map(({ startedMs }) => startedMs)
  assert.deepEqual(
    begins,
    begins.toSorted((one, other) => one - other),
  )
  for (const { startedMs, ms, phase } of report.phases)
    assert.ok(ms >= 0 && startedMs + ms <= report.totalMs, phase)
  assert.equal(report.outcome, 'destination')
  checkParts(report)
  checkRounds(report)
  for (const name of ['bytes', 'precopyBytes'] as const)
    assert.equal(
      report[name],
      report.devices.reduce((sum, pair) => sum + pair[name], 0),
    )
}

/** The parts are the downtime, and none of them is negative. */
function checkParts({ downtime, downtimeMs }: MigrationReport): void {
  assert.ok(downtime)
  const parts = Object.values(downtime) as number[]
  assert.ok(
    parts.every(ms => ms >= 0),
    JSON.stringify(downtime),
  )
  const sum = parts.reduce((all, ms) => all + ms, 0)
  assert.ok(Math.abs(sum - downtimeMs) < 1e-3, `${sum} ms of parts, ${downtimeMs} ms of downtime`)
}

/** Only the last one decided to switch, and what it foresaw is what was foreseen. */
function checkRounds({ rounds, predicted, precopyBytes }: MigrationReport): void {
  if (rounds.length === 0) return
  const decisions = rounds.map(({ decision }) => decision)
  assert.deepEqual(
    decisions,
    rounds.map((_, index) => (index < rounds.length - 1 ? 'continue' : 'switch')),
  )
  for (const [index, { round, predicted }] of rounds.entries()) {
    assert.equal(round, index + 1)
    assert.ok(predicted.downtimeMs > 0 && predicted.worstMs >= predicted.downtimeMs)
  }
  assert.deepEqual(rounds.at(-1)?.predicted, predicted)
  const moved = rounds.reduce((sum, { bytes }) => sum + bytes, 0)
  assert.ok(moved <= precopyBytes, `${moved} bytes in rounds, ${precopyBytes} in pre-copy`)
}

/** Takes down what a device is given, where it is given it. */
export interface Tap {
  readonly onProgress: (progress: MigrationProgress) => void
  bytes(): Buffer
}

/** Of a destination of the migration that it is told of. */
export function tapOf(device: Device): Tap {
  const parts: Buffer[] = []
  return {
    onProgress(progress) {
      if (progress.kind !== 'arcs' || progress.side !== 'destination' || progress.device !== device.name)
        return
      if (progress.arcs.at(-1)?.to !== 'RESUMING') return
      const sink = device.resumingStream
      const load = sink.load.bind(sink)
      sink.load = async chunk => {
        parts.push(Buffer.from(chunk))
        await load(chunk)
      }
    },
    bytes: () => Buffer.concat(parts),
  }
}

/** The digest of bytes, as gzip (RFC 1952) has the sum at its end. */
export function crc32Of(bytes: Uint8Array): string {
  const sum = gzipSync(bytes, { level: 0 }).subarray(-8).readUInt32LE(0)
  return `crc32:${sum.toString(16).padStart(8, '0')}`
}
