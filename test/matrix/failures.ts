// SPDX-License-Identifier: Apache-2.0
// What failed in a case, by what the devices answered: found in their histories, without asking the engine.
import type { RecordedEvent } from '#lib/mock/history.js'
import type { SideName } from './case.js'
import type { Actor } from './stage.js'

/** When something failed, in the words of docs/recovery.md. */
export type When = 'prepare' | 'precopy' | 'stop-copy' | 'load' | 'run' | 'release' | 'way back'

export interface Failure {
  readonly actor: Actor
  readonly side: SideName
  readonly when: When
  /** In the words of docs/recovery.md. */
  readonly fails: string
  readonly at: number
  /** In the device's history. */
  readonly index: number
}

const EAGAIN = -11
const ENOMSG = -42

const back: Readonly<Record<SideName, ReadonlySet<string>>> = {
  source: new Set([
    'STOP -> RUNNING_P2P',
    'STOP -> RUNNING',
    'RUNNING_P2P -> RUNNING',
    'PRE_COPY -> RUNNING',
    'PRE_COPY_P2P -> RUNNING_P2P',
    'STOP_COPY -> STOP',
  ]),
  destination: new Set(['STOP -> RUNNING_P2P', 'STOP -> RUNNING', 'RUNNING_P2P -> RUNNING']),
}

const opening = /^(STOP -> RESUMING|STOP -> STOP_COPY|RUNNING -> PRE_COPY|RUNNING_P2P -> PRE_COPY_P2P)$/

/** When the first arc out of STOP was made with a state that had been loaded; Infinity where none was. */
export function leftStopAt({ mock, before }: Actor): number {
  let isLoaded = false
  for (const event of mock.history.slice(before.events)) {
    if (event.kind !== 'arc' || event.errno !== 0) continue
    if (isLoaded) return event.to.startsWith('RUNNING') ? event.at : Infinity
    isLoaded = event.from === 'RESUMING'
  }
  return Infinity
}

/** All failures of all devices, in the order of time. */
export function failuresOf(actors: readonly Actor[]): Failure[] {
  const ranAt = Math.min(...actors.filter(({ side }) => side === 'destination').map(leftStopAt))
  return actors.flatMap(actor => new Search(actor, ranAt).failures()).sort((a, b) => a.at - b.at)
}

/** Reads a device's history from the beginning of the migration on. */
class Search {
  readonly #actor: Actor
  readonly #ranAt: number
  readonly #found: Failure[] = []
  #state: string
  /** The state was entered in this migration. */
  #wasResumed = false
  #wasLoaded = false
  /** The last arc that was made. */
  #made: string | undefined
  /** It gives out its state. */
  #hasBegun = false
  #index = 0
  #lastArc: Extract<RecordedEvent, { kind: 'arc' }> | undefined

  constructor(actor: Actor, ranAt: number) {
    this.#actor = actor
    this.#ranAt = ranAt
    this.#state = actor.before.state
  }

  failures(): Failure[] {
    const { mock, before } = this.#actor
    for (const [index, event] of mock.history.entries()) {
      this.#index = index
      if (index >= before.events) this.#look(event)
    }
    return this.#found
  }

  #look(event: RecordedEvent): void {
    if (event.kind === 'call' && event.call === 'setStates') this.#lastArc = undefined
    if (event.kind === 'event' && event.event === 'reset') this.#state = 'RUNNING'
    if (event.kind === 'event' && event.event === 'error') this.#error(event.at)
    if (event.kind === 'arc') this.#arc(event)
    if (event.kind === 'answer' && event.result < 0) this.#answer(event)
  }

  #error(at: number): void {
    this.#fail(this.#made === undefined ? 'ERROR before its first arc' : 'ERROR', at)
    this.#state = 'ERROR'
  }

  #arc(event: Extract<RecordedEvent, { kind: 'arc' }>): void {
    this.#lastArc = event
    if (event.errno !== 0) {
      this.#fail(`${event.from} -> ${event.to}`, event.at)
      return
    }
    this.#state = event.to
    this.#made = `${event.from} -> ${event.to}`
    this.#hasBegun ||= event.to.startsWith('PRE_COPY')
    this.#wasResumed ||= event.to === 'RESUMING'
    this.#wasLoaded ||= event.from === 'RESUMING'
  }

  #answer({ call, result, at }: Extract<RecordedEvent, { kind: 'answer' }>): void {
    const isIdle = result === ENOMSG || result === EAGAIN
    if (call === 'setStates') this.#set(at)
    else if (call === 'read' && !isIdle) this.#fail('read', at)
    else if (call === 'write' || call === 'precopyInfo') this.#fail(call, at)
    else if (call === 'getState') this.#fail('state', at)
    else if (call.startsWith('dmaLogging')) this.#fail('DMA log', at)
  }

  #set(at: number): void {
    // It was told of already.
    if (this.#state === 'ERROR') return
    const arc = this.#lastArc
    const isAtBarrier = this.#made === 'PRE_COPY -> PRE_COPY_P2P'
    if (arc === undefined) this.#fail(isAtBarrier ? 'no session at a barrier' : 'no session', at)
    else if (arc.errno === 0 && opening.test(`${arc.from} -> ${arc.to}`))
      this.#fail(`${arc.from} -> ${arc.to} without its fd`, at)
  }

  #fail(fails: string, at: number): void {
    const { side } = this.#actor
    this.#found.push({ actor: this.#actor, side, when: this.#when(fails, at), fails, at, index: this.#index })
  }

  #when(fails: string, at: number): When {
    if (this.#actor.side === 'destination') {
      if (this.#wasLoaded) return 'run'
      if (this.#wasResumed && !fails.includes('RESUMING without')) return 'load'
      return back.destination.has(fails) ? 'way back' : 'prepare'
    }
    if (at >= this.#ranAt) return 'release'
    if (back.source.has(fails)) return 'way back'
    if (/^RUNNING(_P2P)? -> PRE_COPY/.test(fails)) return 'precopy'
    const isPrecopy = ['PRE_COPY', 'PRE_COPY_P2P', 'RUNNING', 'RUNNING_P2P'].includes(this.#state)
    const stops = /_P2P| STOP|-> STOP_COPY|barrier/.test(fails) || (fails === 'no session' && this.#hasBegun)
    return isPrecopy && !stops ? 'precopy' : 'stop-copy'
  }
}
