// SPDX-License-Identifier: Apache-2.0
import { exitCodes } from './exit.ts'

/** SIGHUP: the terminal, or the ssh session, that the command was started from has gone. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export type SignalName = (typeof signals)[number]

/** What may end a command early. */
export const interrupters = ['SIGINT', 'SIGTERM', 'SIGHUP', 'timeout'] as const

export type Interrupter = (typeof interrupters)[number]

const exits: Readonly<Record<Interrupter, number>> = {
  SIGHUP: exitCodes.hungUp,
  SIGINT: exitCodes.interrupted,
  SIGTERM: exitCodes.terminated,
  timeout: exitCodes.timeout,
}

/** The reason of an AbortSignal that ends a command early. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly code = 'ABORT_ERR'
  readonly by: Interrupter

  constructor(by: Interrupter) {
    super(by === 'timeout' ? 'the time is up' : `interrupted by ${by}`)
    this.by = by
  }
}

/** What ended a command early, by what was thrown; undefined where nothing tells. */
export function interrupterOf(errors: readonly Error[]): Interrupter | undefined {
  return errors.find(error => error instanceof Interrupted)?.by
}

/** What a command exits with that ended early for one of `errors` and has put everything back; undefined if none did. */
export function interruptedExit(errors: readonly Error[]): number | undefined {
  const by = interrupterOf(errors)
  if (by) return exits[by]
  return errors.some(({ name }) => name === 'AbortError') ? exitCodes.interrupted : undefined
}

/** What a timer can wait for: it counts milliseconds in 31 bits. */
export const longestTimeout: number = Math.floor((2 ** 31 - 1) / 1000)

/** A signal that fires with `outer`, or when `seconds` have passed: some time above 0, at most the longest. */
export function withTimeout(outer: AbortSignal, seconds: number): AbortSignal {
  const controller = new AbortController()
  const follow = (): void => controller.abort(outer.reason)
  if (outer.aborted) follow()
  outer.addEventListener('abort', follow, { once: true })
  AbortSignal.timeout(Math.ceil(seconds * 1000)).addEventListener('abort', () => {
    controller.abort(new Interrupted('timeout'))
  })
  return controller.signal
}

type SignalListener = (name: NodeJS.Signals) => void

/** Where the signals come from: `process`, or a stand-in. */
export interface SignalSource {
  on(name: NodeJS.Signals, listener: () => void): unknown
}

/**
 * SIGINT, SIGTERM and SIGHUP of a command. The first aborts its signal, so that it puts its devices back; for the second there
 * is no more to wait for. While they are diverted they are somebody else's.
 */
export class Interruption {
  readonly #controller = new AbortController()
  readonly #onSecond: (name: SignalName) => void
  #diverted: SignalListener | undefined

  constructor(source: SignalSource, onSecond: (name: SignalName) => void) {
    this.#onSecond = onSecond
    for (const name of signals) source.on(name, () => this.#take(name))
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Gives the signals to `listener` until the returned function is called. */
  divert(listener: SignalListener): () => void {
    this.#diverted = listener
    return () => {
      this.#diverted = undefined
    }
  }

  #take(name: SignalName): void {
    if (this.#diverted) this.#diverted(name)
    else if (this.signal.aborted) this.#onSecond(name)
    else this.#controller.abort(new Interrupted(name))
  }
}
