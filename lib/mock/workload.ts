// SPDX-License-Identifier: Apache-2.0
import { pageBytes, type DeviceState, type Stretch } from './state.ts'

/** A stretch of time in which a device ran. Two with one seed and overlapping epochs are two owners of one state. */
export interface Run {
  readonly device: string
  readonly seed: bigint
  readonly firstEpoch: bigint
  /** After the last step. */
  readonly endEpoch: bigint
  /** Nanoseconds on the device's clock. */
  readonly beginNs: bigint
  readonly endNs: bigint
}

export interface WorkloadOptions {
  readonly device: string
  /** Bytes a second. */
  readonly rate: number
  /** Pages that are written again and again. */
  readonly workingSet: number
  readonly now: () => number
  /** Told which pages were written. */
  readonly onWrite: (pages: Stretch) => void
}

interface Interval {
  readonly firstEpoch: bigint
  readonly begin: number
  /** Until when the steps are made, in ms. */
  at: number
}

/** What the function does while it runs. It is worked out when somebody looks. */
export class Workload {
  readonly #state: DeviceState
  readonly #options: WorkloadOptions
  readonly #log: Run[] = []
  #interval: Interval | undefined
  /** The part of a step that was due when it was last looked at. */
  #fraction = 0

  constructor(state: DeviceState, options: WorkloadOptions) {
    this.#state = state
    this.#options = options
  }

  get isRunning(): boolean {
    return this.#interval !== undefined
  }

  /** Every interval in which it made a step, the one that has not ended included. */
  get log(): Run[] {
    this.sync()
    return [...this.#log, ...this.#current()]
  }

  run(): void {
    const now = this.#options.now()
    this.#interval ??= { firstEpoch: this.#state.epoch, begin: now, at: now }
  }

  /** What is due is done first. */
  stop(): void {
    this.sync()
    this.#log.push(...this.#current())
    this.#interval = undefined
  }

  /** As {@link stop}, and what was due of the next step is forgotten. */
  reset(): void {
    this.stop()
    this.#fraction = 0
  }

  /** Makes the steps that are due. */
  sync(): void {
    const interval = this.#interval
    if (interval === undefined) return
    const now = this.#options.now()
    const due = this.#fraction + ((now - interval.at) * this.#options.rate) / (pageBytes * 1000)
    const steps = Math.floor(due + rounding)
    interval.at = now
    this.#fraction = Math.max(0, due - steps)
    this.#make(steps)
  }

  /** Steps beside those that time brings. */
  step(steps: number): void {
    this.sync()
    this.#make(steps)
  }

  #make(steps: number): void {
    if (steps > 0) this.#options.onWrite(this.#state.run(steps, this.#options.workingSet))
  }

  #current(): Run[] {
    const interval = this.#interval
    const { seed, epoch } = this.#state
    if (interval === undefined || epoch === interval.firstEpoch) return []
    const { firstEpoch, begin, at } = interval
    const { device } = this.#options
    return [{ device, seed, firstEpoch, endEpoch: epoch, beginNs: ns(begin), endNs: ns(at) }]
  }
}

/** 0.1 + 0.2 is a whole step too. */
const rounding = 1e-9

const ns = (ms: number): bigint => BigInt(Math.round(ms * 1e6))
