// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from './bottle_wait.ts'

/** What a fault can be put on: test/kernel/firmware/README.md. */
export type Point =
  | 'SUSPEND_INITIATOR'
  | 'SUSPEND_RESPONDER'
  | 'RESUME_RESPONDER'
  | 'RESUME_INITIATOR'
  | 'QUERY'
  | 'SAVE'
  | 'LOAD'
  | 'QUERY_HCA_CAP'
  | 'LOG_START'
  | 'LOG_REPORT'
  | 'TRACKER'
  | 'ALLOC_PD'
  | 'CREATE_MKEY'

/** These belong to the physical function: its driver does not say for which virtual one they are. */
const pointsOfPf: ReadonlySet<Point> = new Set(['ALLOC_PD', 'CREATE_MKEY'])

/** How the command ends: as the firmware says, as its driver does, or not before `release()`. */
export type Outcome = { readonly status: number } | { readonly errno: string } | 'hold'

/** A command that was executed. Times in ns of CLOCK_MONOTONIC. */
export interface Command {
  readonly name: Point
  /** For instance `{ incremental: '1', bytes: '4176', status: '0x0' }`. */
  readonly fields: Readonly<Record<string, string>>
  readonly begin: bigint
  readonly end: bigint
}

/** An interval in which the function ran at least one step: from epoch `first`, to epoch `after` afterwards. */
export interface Run {
  readonly seed: bigint
  readonly first: bigint
  readonly after: bigint
}

/** The state's digest, and what it is of. */
export interface Digest {
  readonly digest: string
  readonly epoch: bigint
  readonly seed: bigint
}

/** Numbers that a test sets: test/kernel/firmware/README.md. */
export interface Knobs {
  readonly size?: number
  readonly seed?: bigint
  readonly rate?: number
  readonly working_set?: number
  readonly chunk_size?: number
  readonly estimate_slack?: number
  readonly beat?: number
  readonly latency?: Partial<Record<Point, number>>
  readonly bandwidth?: { readonly SAVE?: number; readonly LOAD?: number }
}

const root = '/sys/kernel/debug/vfio_migrate_firmware'

/** A knob of a function's directory, `PF`'s or a virtual one's. */
const file = (address: string, name: string): string => join(root, address, name)

/** Writes one knob. */
export async function setKnob(address: string, name: string, value: string): Promise<void> {
  await writeFile(file(address, name), value)
}

/** A virtual function with a simulated mlx5 firmware. */
export class BottledFunction {
  readonly address: string
  /** The address of its physical function. */
  readonly pf: string

  constructor(address: string, pf: string) {
    this.address = address
    this.pf = pf
  }

  /** Writes one file of the function's directory. */
  async write(name: string, value: string): Promise<void> {
    await setKnob(this.address, name, value)
  }

  async set(knobs: Knobs): Promise<void> {
    for (const [name, value] of Object.entries(knobs) as [string, object | number | bigint][]) {
      if (typeof value === 'object') {
        for (const [point, number] of Object.entries(value)) {
          await this.write(join(name, point), String(number))
        }
      } else await this.write(name, String(value))
    }
  }

  async digest(): Promise<Digest> {
    return digestIn(await this.#read('digest'))
  }

  /** As of now: for who must not let anything happen meanwhile. */
  digestNow(): Digest {
    return digestIn(this.#readNow('digest'))
  }

  async epoch(): Promise<bigint> {
    return BigInt(await this.#read('epoch'))
  }

  async isRunning(): Promise<boolean> {
    return (await this.#read('running')) === '1'
  }

  isRunningNow(): boolean {
    return this.#readNow('running') === '1'
  }

  /** How often it was reset. */
  async resets(): Promise<number> {
    return Number(await this.#read('resets'))
  }

  resetsNow(): number {
    return Number(this.#readNow('resets'))
  }

  /** So many steps of the workload at once, of a function that runs. */
  async step(steps: number | bigint): Promise<void> {
    await this.write('step', String(steps))
  }

  stepNow(steps: number): void {
    writeFileSync(file(this.address, 'step'), String(steps))
  }

  /** The firmware begins anew: all pages are to be saved once more. */
  async reinit(): Promise<void> {
    await this.write('reinit', '1')
  }

  reinitNow(): void {
    writeFileSync(file(this.address, 'reinit'), '1')
  }

  /** Where it is to write its beats, and which vector it then raises. */
  async setWindow(window: { readonly iova: bigint; readonly vector: number } | 'none'): Promise<void> {
    await this.write('window', window === 'none' ? window : `${window.iova} ${window.vector}`)
  }

  /** Counters by their names: written, not_master, unmapped, masked. */
  async beats(): Promise<Record<string, number>> {
    const lines = (await this.#read('beats')).split('\n').map(line => line.split(' '))
    return Object.fromEntries(lines.map(([name = '', count]) => [name, Number(count)]))
  }

  /** The `nth` execution from now on ends otherwise. */
  async fault(on: Point, outcome: Outcome, nth = 1): Promise<void> {
    await setKnob(this.#ownerOf(on), 'faults', `${on} ${nth} ${words(outcome)}`)
  }

  /** The faults that no command has met yet, its physical function's included. */
  async pendingFaults(): Promise<string[]> {
    const all = [this.address, this.pf].map(address => readFile(file(address, 'faults'), 'utf8'))
    return (await Promise.all(all)).flatMap(linesOf)
  }

  /** Resolves when a command is held. */
  async isHeld(on: Point): Promise<void> {
    const path = file(this.#ownerOf(on), 'held')
    await eventually(async () => (await readFile(path, 'utf8')) !== '0\n')
  }

  /** How many of its commands are held. */
  async held(): Promise<number> {
    return Number(await this.#read('held'))
  }

  /** Lets go of the commands that are held. */
  async release(): Promise<void> {
    for (const address of [this.address, this.pf]) await setKnob(address, 'held', '0')
  }

  /** Takes back every fault, and lets go of what is held: nothing waits for a test that has failed. */
  async takeBackFaults(): Promise<void> {
    for (const address of [this.address, this.pf]) await setKnob(address, 'faults', '\n')
    await this.release()
  }

  async commands(): Promise<Command[]> {
    return linesOf(await this.#read('commands')).map(line => {
      const [name = '', ...rest] = line.split(' ')
      const { begin = '', end = '', ...fields } = fieldsOf(rest)
      return { name: name as Point, fields, begin: BigInt(begin), end: BigInt(end) }
    })
  }

  /** The names of the commands since the log was emptied. */
  async commandNames(): Promise<Point[]> {
    return (await this.commands()).map(({ name }) => name)
  }

  async runs(): Promise<Run[]> {
    return linesOf(await this.#read('runs')).map(line => {
      const { seed = '', first = '', after = '' } = fieldsOf(line.split(' '))
      return { seed: BigInt(seed), first: BigInt(first), after: BigInt(after) }
    })
  }

  async emptyLogs(): Promise<void> {
    await this.write('commands', '\n')
    await this.write('runs', '\n')
  }

  #ownerOf(point: Point): string {
    return pointsOfPf.has(point) ? this.pf : this.address
  }

  async #read(name: string): Promise<string> {
    return (await readFile(file(this.address, name), 'utf8')).trimEnd()
  }

  #readNow(name: string): string {
    return readFileSync(file(this.address, name), 'utf8').trimEnd()
  }
}

function digestIn(text: string): Digest {
  const [digest = '', epoch = '', seed = ''] = text.split(' ')
  return { digest, epoch: BigInt(epoch), seed: BigInt(seed) }
}

function words(outcome: Outcome): string {
  if (outcome === 'hold') return outcome
  return 'status' in outcome ? `status ${outcome.status}` : `errno ${outcome.errno}`
}

const linesOf = (text: string): string[] => text.split('\n').filter(Boolean)

const fieldsOf = (words: readonly string[]): Record<string, string> =>
  Object.fromEntries(words.map(word => word.split('=') as [string, string]))
