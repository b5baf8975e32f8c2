// SPDX-License-Identifier: Apache-2.0
import { wants } from '../contract/evidence.ts'
import { applies, isAbout, type Rule } from '../contract/rule.ts'
import { rules } from '../contract/rules/index.ts'
import { moves } from './moves.ts'
import { checkLeftRunning, openPair, type Pair } from './pair.ts'
import { participant } from './participant.ts'
import { timingLines, type Timings } from './timings.ts'

export interface HardwareOptions {
  /** Reset, driven through every arc, and left RUNNING: what state it has is lost. */
  readonly device: string
  /** Likewise. */
  readonly peer: string
  /** A command that gives a device state and reads it back. */
  readonly participant?: string
  /** Only this one. */
  readonly level?: 1 | 2
  /** Of level 1 only the rules whose line has this text. */
  readonly grep?: string
  readonly say: (line: string) => void
  /** Begins nothing more; what is running comes to its end, and both devices are reset and closed. */
  readonly signal?: AbortSignal
}

export interface HardwareReport {
  readonly passed: readonly string[]
  readonly failed: readonly string[]
  /** Rules that are about such a device, and need what hardware does not offer. */
  readonly notRun: readonly string[]
  /** How many proofs there are that state is where it belongs; undefined where nobody could tell. */
  readonly proven: number | undefined
  /** A call has not come back: it holds its device, and this process. */
  readonly hangs: boolean
}

/** A command of firmware takes a minute at most, and so does a participant; no rule or proof waits for ten. */
const deadlineMs = 600_000

/** A call that does not come back holds the device: nothing can be asked of it any more. */
class Hangs extends Error {}

async function within(body: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const hanging = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Hangs(`has not ended after ${deadlineMs / 1000} s`)), deadlineMs)
  })
  try {
    await Promise.race([body, hanging])
  } finally {
    clearTimeout(timer)
  }
}

class Level {
  readonly passed: string[] = []
  readonly failed: string[] = []
  readonly #say: (line: string) => void
  readonly #signal: AbortSignal | undefined

  constructor({ say, signal }: HardwareOptions) {
    this.#say = say
    this.#signal = signal
  }

  async run(id: string, sentence: string, body: () => Promise<unknown>): Promise<void> {
    if (this.#signal?.aborted) return
    const since = performance.now()
    try {
      const answer = body()
      await within(answer)
      const told: unknown = await answer
      this.passed.push(id)
      this.#say(`  ✔ ${sentence}${typeof told === 'string' ? `: ${told}` : ''} (${ms(since)})`)
    } catch (error) {
      this.failed.push(id)
      this.#say(`  ✘ ${sentence} (${ms(since)})\n${indented(error)}`)
      if (error instanceof Hangs) throw error
    }
  }

  fail(id: string, sentence: string): void {
    this.failed.push(id)
    this.#say(`  ✘ ${sentence}`)
  }
}

const ms = (since: number): string => `${Math.round(performance.now() - since)} ms`
const indented = (error: unknown): string => words(error).replace(/^/gm, '      ')

/** Where the reset or the close at the end failed too, both. */
function words(error: unknown): string {
  if (!(error instanceof Error) || !('suppressed' in error) || !('error' in error)) return String(error)
  return `${words(error.suppressed)}\n${words(error.error)}`
}

const line = ({ id, where, name }: Rule): string => `${where}: ${name} [${id}]`

async function levelOne(pair: Pair, level: Level, options: HardwareOptions): Promise<string[]> {
  const { grep = '', say } = options
  const about = rules.filter(rule => isAbout(rule, pair) && line(rule).includes(grep))
  const notRun = about.filter(rule => !applies(rule, pair))
  say(`\nLevel 1: ${about.length - notRun.length} rules of the contract`)
  for (const rule of about.filter(one => !notRun.includes(one)))
    await level.run(rule.id, line(rule), () => rule.run(pair))
  if (notRun.length > 0) say(`  Not run: ${wants(notRun, pair)}`)
  return notRun.map(({ id }) => id)
}

async function levelTwo(pair: Pair, level: Level, options: HardwareOptions): Promise<number | undefined> {
  const { participant: command, say } = options
  say('\nLevel 2: state is where it belongs')
  if (command === undefined) {
    say(
      '  not run: without a participant nobody can tell what state a device has, so nothing is claimed of it',
    )
    return undefined
  }
  const before = level.passed.length
  for (const { name, flags, run } of moves.filter(move => (pair.flags & move.flags) === move.flags))
    await level.run(`move: ${name}`, `${name} (flags ${flags})`, () => run(pair, participant(command)))
  return level.passed.length - before
}

/** What the devices were named for: that they are RUNNING in the end, or a word of how they are. */
async function leave({ device, peer }: Pair, level: Level, { say, signal }: HardwareOptions): Promise<void> {
  if (signal?.aborted) say('  The run ends here: it was interrupted.')
  if (level.passed.length + level.failed.length === 0) level.fail('nothing-ran', 'nothing was run')
  for (const name of [device, peer])
    await checkLeftRunning(name).catch((error: unknown) => level.fail('left-running', String(error)))
}

/** Runs what can be run on a pair of real devices; says what it does and what it finds. */
export async function testHardware(options: HardwareOptions): Promise<HardwareReport> {
  const { device, peer, say } = options
  const timings: Timings = new Map()
  say(
    `This resets ${device} and ${peer} many times and drives them through every arc. What state they have is lost.`,
  )
  const pair = await openPair(device, peer, timings)
  say(
    `${pair.title}: migration flags ${pair.flags}, ${pair.logging ? 'with' : 'without'} DMA logging, semantics of ${pair.kernel}`,
  )
  const level = new Level(options)
  let notRun: string[] = []
  let proven: number | undefined
  let hangs = false
  try {
    if (options.level !== 2) notRun = await levelOne(pair, level, options)
    if (options.level !== 1) proven = await levelTwo(pair, level, options)
    await leave(pair, level, options)
  } catch (error) {
    if (!(error instanceof Hangs)) throw error
    hangs = true
    say(
      `  The run ends here: a call that does not come back holds the device. In what state ${device} and ${peer}`,
    )
    say('  are is not known: they are to be reset before anybody uses them.')
  }
  say(['\nTimings', ...timingLines(timings)].join('\n  '))
  return { passed: level.passed, failed: level.failed, notRun, proven, hangs }
}
