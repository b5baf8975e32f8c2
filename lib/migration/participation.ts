// SPDX-License-Identifier: Apache-2.0
import { isUint8Array } from 'node:util/types'
import { AbortError, throwIfAborted } from '../abort.ts'
import type { Clock } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { VfioError } from '../errors.ts'
import {
  maxSideDataBytes,
  moments,
  type Moment,
  type MomentContext,
  type Outcome,
  type Participant,
} from './participant.ts'

/** What a participant took. Times in ms on the migration's clock. */
export interface MomentReport {
  readonly moment: Moment
  readonly startedMs: number
  readonly ms: number
  readonly error?: unknown
}

/** A moment that a participant did not get through; `cause` is what it threw, absent where it did not answer in time. */
export class ParticipantError extends VfioError {
  readonly moment: Moment

  constructor(moment: Moment, what: string, cause?: unknown) {
    super('ERR_VFIO_PARTICIPANT', `The participant ${what}`, { cause })
    this.moment = moment
  }
}

/** How long each moment may take, in ms. */
export type MomentLimits = Partial<Readonly<Record<Moment, number>>>

/** How long a moment may take unless told. */
export const momentLimitMs = 10_000

export interface ParticipationOptions {
  readonly clock: Clock
  readonly limits?: MomentLimits | undefined
  /** Ends a wait for the participant while that can be undone: in `quiesce`, `stopped` and `restored`. */
  readonly signal?: AbortSignal | undefined
  /** Told of each moment when it is over, however it ended. */
  readonly onMoment?: ((report: MomentReport) => void) | undefined
}

type Work = (context: MomentContext) => unknown

/** After `restored` the destination's word is given: nothing is taken back by a signal from there on. */
const cancellable: ReadonlySet<Moment> = new Set(['quiesce', 'stopped', 'restored'])

/**
 * A participant, called and awaited. Whatever it does, each moment ends within its limit: it is then told by its signal,
 * and what it answers later is nobody's. A moment that it has no function for is over at once, and in no report.
 *
 * Every moment rejects with a {@link ParticipantError} where the participant throws, rejects, answers what cannot be
 * sent or does not answer in time, and those that can be cancelled with an AbortError when the signal fires.
 */
export class Participation {
  readonly #participant: Participant
  readonly #clock: Clock
  readonly #limits: MomentLimits
  readonly #signal: AbortSignal | undefined
  readonly #onMoment: (report: MomentReport) => void
  readonly #reports: MomentReport[] = []
  #quiesced = false

  /** @throws TypeError or RangeError for what is no participant, and for limits that are none. */
  constructor(participant: Participant | undefined, options: ParticipationOptions) {
    const { clock, limits = {}, signal, onMoment = () => undefined } = options
    if (participant !== undefined) checkParticipant(participant)
    checkLimits(limits)
    this.#participant = participant ?? {}
    this.#clock = clock
    this.#limits = limits
    this.#signal = signal
    this.#onMoment = onMoment
  }

  get reports(): readonly MomentReport[] {
    return this.#reports
  }

  /** The participant was told to quiesce, whatever came of it: `resumed` is owed to it if the migration is rolled back. */
  get quiesced(): boolean {
    return this.#quiesced
  }

  async quiesce(devices: readonly Device[]): Promise<void> {
    throwIfAborted(this.#signal)
    this.#quiesced = true
    await this.#call('quiesce', devices, context => this.#participant.quiesce?.(context))
  }

  /** Answers memory of its own for each device; none of it where nothing is to travel beside that device's state. */
  async stopped(devices: readonly Device[]): Promise<readonly Uint8Array[]> {
    let sideData = copySideData(undefined, devices)
    await this.#call('stopped', devices, async context => {
      sideData = copySideData(await this.#participant.stopped?.(context), devices)
    })
    return sideData
  }

  async restored(devices: readonly Device[], sideData: readonly Uint8Array[]): Promise<void> {
    await this.#call('restored', devices, context => this.#participant.restored?.({ ...context, sideData }))
  }

  async running(devices: readonly Device[]): Promise<void> {
    await this.#call('running', devices, context => this.#participant.running?.(context))
  }

  async resumed(devices: readonly Device[]): Promise<void> {
    await this.#call('resumed', devices, context => this.#participant.resumed?.(context))
  }

  async released(devices: readonly Device[], outcome: Outcome): Promise<void> {
    await this.#call('released', devices, context => this.#participant.released?.({ ...context, outcome }))
  }

  async #call(moment: Moment, devices: readonly Device[], work: Work): Promise<void> {
    if (cancellable.has(moment)) throwIfAborted(this.#signal)
    if (this.#participant[moment] === undefined) return
    const startedMs = this.#clock.now()
    const report = (failure?: { readonly error: unknown }): void => {
      const told = { moment, startedMs, ms: this.#clock.now() - startedMs, ...failure }
      this.#reports.push(told)
      this.#onMoment(told)
    }
    try {
      await this.#limit(moment, devices, work)
      report()
    } catch (error) {
      report({ error })
      throw error
    }
  }

  async #limit(moment: Moment, devices: readonly Device[], work: Work): Promise<void> {
    const over = new AbortController()
    const limitMs = this.#limits[moment] ?? momentLimitMs
    const context = { devices, limitMs, signal: over.signal }
    // Before the participant can listen: that it ended is known before what the participant makes of it.
    const ended = new Promise<never>((_, reject) => {
      over.signal.addEventListener('abort', () => reject(over.signal.reason as Error), { once: true })
    })
    const takeBack = this.#watch(moment, limitMs, over)
    try {
      await Promise.race([ended, (async () => await work(context))()])
    } catch (error) {
      if (over.signal.aborted) throw over.signal.reason
      throw new ParticipantError(moment, `failed at '${moment}': ${messageOf(error)}`, error)
    } finally {
      takeBack()
    }
  }

  /** Fires `over` when the time of the moment is up, or the migration is cancelled while it can be. */
  #watch(moment: Moment, limitMs: number, over: AbortController): () => void {
    const stopWaiting = this.#clock.after(limitMs, () => {
      over.abort(new ParticipantError(moment, `did not answer '${moment}' within ${limitMs} ms`))
    })
    const signal = cancellable.has(moment) ? this.#signal : undefined
    const onAbort = (): void => over.abort(new AbortError(signal?.reason))
    signal?.addEventListener('abort', onAbort, { once: true })
    return () => {
      stopWaiting()
      signal?.removeEventListener('abort', onAbort)
    }
  }
}

const known: ReadonlySet<string> = new Set(moments)

/**
 * A name that is misspelt would never be called, so a plain object has moments and nothing else. What a class has beside
 * them is its own affair.
 */
export function checkParticipant(participant: unknown): asserts participant is Participant {
  if (typeof participant !== 'object' || participant === null) {
    throw new TypeError(`a participant is an object with functions named ${moments.join(', ')}`)
  }
  const prototype: unknown = Object.getPrototypeOf(participant)
  const isPlain = prototype === Object.prototype || prototype === null
  const unknown = isPlain ? Object.keys(participant).find(key => !known.has(key)) : undefined
  if (unknown !== undefined) throw new TypeError(`participant.${unknown} is no moment: ${moments.join(', ')}`)
  const functions = moments.filter(moment => (participant as Participant)[moment] !== undefined)
  for (const moment of functions) {
    if (typeof (participant as Participant)[moment] === 'function') continue
    throw new TypeError(`participant.${moment} must be a function`)
  }
  if (functions.length > 0 || isPlain) return
  throw new TypeError(`a participant has functions named ${moments.join(', ')}; this object has none of them`)
}

export function checkLimits(limits: MomentLimits): void {
  for (const [moment, ms] of Object.entries<unknown>(limits)) {
    if (!known.has(moment)) throw new TypeError(`'${moment}' is no moment: ${moments.join(', ')}`)
    if (typeof ms !== 'number')
      throw new TypeError(`the limit of '${moment}' must be a number of milliseconds`)
    if (!(ms > 0 && ms < Infinity)) {
      throw new RangeError(`the limit of '${moment}' must be finite and more than 0 ms: ${ms}`)
    }
  }
}

/**
 * What a participant answered at `stopped`, one for each device and empty where there is none. Copies: what was answered
 * stays the participant's, who may go on writing to it.
 * @throws TypeError or RangeError for what cannot travel.
 */
export function copySideData(answer: unknown, devices: readonly Device[]): readonly Uint8Array[] {
  if (answer !== undefined && !Array.isArray(answer)) {
    throw new TypeError('side data is a list with a Uint8Array, or undefined, for each device')
  }
  const list: readonly unknown[] = answer ?? []
  if (list.length > devices.length) {
    throw new RangeError(`side data for ${list.length} devices, where ${devices.length} are moved`)
  }
  return devices.map(({ name }, index) => {
    const bytes = list[index]
    if (bytes === undefined) return new Uint8Array(0)
    if (!isUint8Array(bytes)) throw new TypeError(`the side data of '${name}' is no Uint8Array`)
    if (bytes.length <= maxSideDataBytes) return new Uint8Array(bytes)
    throw new RangeError(
      `the side data of '${name}' has ${bytes.length} bytes; at most ${maxSideDataBytes} travel beside a device's state`,
    )
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
