// SPDX-License-Identifier: Apache-2.0
import { errno } from '../kernel/errno.ts'
import { sleep, type MockClock } from './clock.ts'
import type { FaultPlan } from './fault_plan.ts'
import type { Fault, FaultPoint } from './faults.ts'
import type { History } from './history.ts'
import type { SavedImage } from './image.ts'
import { Loader } from './loader.ts'
import type { CommandName } from './option_schema.ts'
import type { ResolvedOptions } from './options.ts'
import { Saver, type Demand, type Made } from './saver.ts'
import { DeviceState, pageBytes, type Stretch } from './state.ts'
import { status, statusErrno } from './status.ts'
import { Workload } from './workload.ts'

/** How a command ended. */
export interface Result {
  /** The firmware's; 0 for success, and where it did not come to answer. */
  readonly status: number
  /** What that is to the driver: 0 or -errno. */
  readonly errno: number
}

export interface Sizes extends Result {
  /** What the next SAVE needs. */
  readonly bytes: number
  /** What there is in all; in chunk mode more than `bytes`. */
  readonly total: number
  /** It has begun anew. */
  readonly reinit: boolean
}

export interface Saved extends Result {
  readonly image?: SavedImage
  /** What the next chunk of the same image needs; 0 after the last one. */
  readonly next: number
}

/** What a firmware works with. */
export interface FirmwareParts {
  readonly options: ResolvedOptions
  readonly clock: MockClock
  readonly faults: FaultPlan
  readonly history: History
  /** A fault has another holder reset the device. */
  readonly onReset: () => void
}

const commandsOf = {
  suspend: { initiator: 'SUSPEND_INITIATOR', responder: 'SUSPEND_RESPONDER' },
  resume: { initiator: 'RESUME_INITIATOR', responder: 'RESUME_RESPONDER' },
} as const

type Half = 'initiator' | 'responder'
type SavePoint = 'SAVE' | 'SAVE_CLEANUP'

/** The commands of a page tracker, which take no time. */
export type LogCommand = 'LOG_START' | 'LOG_REPORT'

/** A command that has begun. */
interface Execution {
  readonly command: CommandName | LogCommand
  readonly fault: Fault | undefined
  /** How many resets there were before it. */
  readonly resets: number
}

const nothingMade: Made = { status: status.OK, next: 0 }

/**
 * The function behind a driver: its state, its workload, and the commands that a driver gives it. See
 * docs/firmware-model.md, which this is.
 */
export class Firmware {
  readonly state: DeviceState
  readonly workload: Workload
  readonly #parts: FirmwareParts
  readonly #saver: Saver
  readonly #loader: Loader
  readonly #suspended: Record<Half, boolean> = { initiator: false, responder: false }
  #isOpen = false
  #resets = 0

  constructor(parts: FirmwareParts) {
    const { options, clock } = parts
    const { size, seed, name: device, dirty: rate } = options
    const workingSet = Math.max(1, Math.ceil(options.workingSet / pageBytes))
    this.#parts = parts
    this.state = new DeviceState(size, seed)
    this.#saver = new Saver(this.state, options)
    this.#loader = new Loader(this.state)
    this.workload = new Workload(this.state, {
      ...{ device, rate, workingSet },
      now: () => clock.now(),
      onWrite: pages => {
        this.#saver.onWrite(pages, workingSet)
        this.onWrite?.(pages, workingSet)
      },
    })
  }

  /** Told of the pages that the function writes: it writes the I/O page of the same number too. */
  onWrite: ((pages: Stretch, workingSet: number) => void) | undefined

  /** Told of an I/O page that the function writes beside that. */
  onDma: ((iova: bigint) => void) | undefined

  get isSuspended(): boolean {
    return this.#suspended.initiator && this.#suspended.responder
  }

  /** Somebody has it open. */
  setOpen(isOpen: boolean): void {
    this.#isOpen = isOpen
    this.#runOrStop()
  }

  /** Function-level reset. */
  reset(): void {
    this.#resets++
    this.workload.reset()
    this.state.reset()
    this.#saver.reset()
    this.#loader.reset()
    this.#suspended.initiator = this.#suspended.responder = false
    this.#runOrStop()
  }

  /** It begins anew: every page counts as written. */
  reinit(): void {
    this.#saver.reinit()
  }

  async suspend(half: Half): Promise<Result> {
    return await this.#execute(commandsOf.suspend[half], {}, () => this.#setSuspended(half, true))
  }

  async resume(half: Half): Promise<Result> {
    return await this.#execute(commandsOf.resume[half], {}, () => {
      if (half === 'responder') {
        if (!this.#loader.finish()) return status.BAD_SYSTEM_STATE
        this.#saver.forgetChunks()
      }
      return this.#setSuspended(half, false)
    })
  }

  /** Takes a suspension back, where one command was to suspend both halves and has failed. */
  letRun(half: Half): void {
    this.#setSuspended(half, false)
  }

  async query(incremental: boolean): Promise<Sizes> {
    let sizes = { bytes: 0, total: 0, reinit: false }
    const result = await this.#execute('QUERY', { incremental }, () => {
      this.workload.sync()
      sizes = this.#saver.query(incremental, this.#suspended.responder)
      return status.OK
    })
    return { ...result, ...sizes }
  }

  /** An image of the pages as they are now, when the command begins; the promise is of its end. */
  async save(demand: Demand, points: readonly SavePoint[] = ['SAVE']): Promise<Saved> {
    const execution = this.#begin('SAVE', { ...demand }, points)
    const { fault } = execution
    const isToFail = fault?.errno !== undefined || fault?.status !== undefined
    const made = isToFail ? nothingMade : this.#make(demand)
    const ms = (made.image?.length ?? 0) / (this.#parts.options.bandwidth.save / 1000)
    const result = await this.#end(execution, ms, () => made.status)
    return result.errno === 0 ? { ...result, ...made, status: result.status } : { ...result, next: 0 }
  }

  #make(demand: Demand): Made {
    this.workload.sync()
    return this.#saver.save(demand, this.#suspended)
  }

  /** Takes the image that begins at `words`, of `length` bytes. */
  async load(words: Uint32Array, length: number): Promise<Result> {
    const ms = length / (this.#parts.options.bandwidth.load / 1000)
    const execution = this.#begin('LOAD', { bytes: length })
    const result = await this.#end(execution, ms, () => {
      const answer = this.#loader.load(words, length, this.isSuspended)
      if (answer === status.OK) this.#saver.reset()
      return answer
    })
    if (result.errno !== 0 && !this.#isOvertaken(execution)) this.#loader.spoil()
    return result
  }

  /** A command of the tracker; what it does is its driver's affair. */
  async log(command: LogCommand, args: Readonly<Record<string, unknown>>): Promise<Result> {
    return await this.#execute(command, args, () => status.OK)
  }

  async #execute(
    command: CommandName | LogCommand,
    args: Readonly<Record<string, unknown>>,
    effect: () => number,
  ): Promise<Result> {
    return await this.#end(this.#begin(command, args), 0, effect)
  }

  #begin(
    command: CommandName | LogCommand,
    args: Readonly<Record<string, unknown>>,
    points: readonly FaultPoint[] = [command],
  ): Execution {
    const { faults, history, onReset } = this.#parts
    const resets = this.#resets
    history.record({ kind: 'command', command, args })
    const fault = faults.take(...points)
    if (fault?.reset === true) onReset()
    return { command, fault, resets }
  }

  /** Takes its time, and then effect: one that a reset has overtaken has none. */
  async #end(execution: Execution, ms: number, effect: () => number): Promise<Result> {
    const { clock, faults, history, options } = this.#parts
    const { command, fault } = execution
    const latency: Partial<Record<string, number>> = options.latency
    await sleep(clock, (latency[command] ?? 0) + ms)
    await faults.hold(fault)
    const code = (): number => (this.#isOvertaken(execution) ? status.BAD_SYSTEM_STATE : effect())
    const result = failureOf(fault) ?? answered(code())
    history.record({ kind: 'status', command, ...result })
    return result
  }

  #isOvertaken({ resets }: Execution): boolean {
    return resets !== this.#resets
  }

  #setSuspended(half: Half, suspended: boolean): number {
    this.#suspended[half] = suspended
    this.#runOrStop()
    return status.OK
  }

  #runOrStop(): void {
    if (this.#isOpen && !this.#suspended.initiator) this.workload.run()
    else this.workload.stop()
  }
}

const answered = (code: number): Result => ({ status: code, errno: statusErrno(code) })

function failureOf(fault: Fault | undefined): Result | undefined {
  if (fault?.errno !== undefined) return { status: status.OK, errno: -errno[fault.errno] }
  return fault?.status === undefined ? undefined : answered(fault.status)
}
