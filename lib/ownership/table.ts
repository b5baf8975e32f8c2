// SPDX-License-Identifier: Apache-2.0
import { VfioError } from '../errors.ts'
import type { Fact, Journal } from './journal.ts'

/** What follows from an event in a state. */
export interface Step<State extends string> {
  /** What has to become durable; absent where nothing has. */
  readonly writes?: Fact
  /**
   * The state from before the write on, and after one that failed. A right is given up here, before it is known that
   * the fact is durable; it is gained in `then`, when it is.
   */
  readonly meanwhile: State
  /** The state once the fact is durable. */
  readonly then: State
}

/** A cell that is missing is a call that must not come. */
export type Table<State extends string, Event extends string> = Readonly<
  Record<State, Readonly<Partial<Record<Event, Step<State>>>>>
>

/** One side of a migration, led along its table. Writes one fact at a time. */
export class Walk<State extends string, Event extends string> {
  readonly #table: Table<State, Event>
  readonly #journal: Journal
  #state: State
  #writing: { readonly event: Event; readonly done: Promise<unknown> } | undefined

  constructor(table: Table<State, Event>, journal: Journal, state: State) {
    this.#table = table
    this.#journal = journal
    this.#state = state
  }

  get state(): State {
    return this.#state
  }

  /**
   * Resolves when what `event` has to write is durable; the same event meanwhile waits for the same write.
   *
   * @throws VfioError ERR_VFIO_OWNERSHIP where the table has no such cell, or while another fact is being written.
   * @throws what the journal throws: nobody knows then whether the fact is durable.
   */
  async take(event: Event): Promise<void> {
    if (this.#writing?.event === event) await this.#writing.done
    else await this.#begin(event)
  }

  async #begin(event: Event): Promise<void> {
    const step = this.#table[this.#state][event]
    if (step === undefined || this.#writing !== undefined) throw this.#refused(event)
    this.#state = step.meanwhile
    if (step.writes === undefined) this.#state = step.then
    else await this.#write(event, step.writes, step.then)
  }

  async #write(event: Event, fact: Fact, then: State): Promise<void> {
    const durable = this.#journal.append(fact).then(() => (this.#state = then))
    const done = durable.finally(() => (this.#writing = undefined))
    this.#writing = { event, done }
    await done
  }

  #refused(event: Event): VfioError {
    const busy = this.#writing && `, ${this.#writing.event} is being written`
    return new VfioError('ERR_VFIO_OWNERSHIP', `No '${event}' in '${this.#state}'${busy ?? ''}`)
  }
}

/** @throws VfioError ERR_VFIO_OWNERSHIP where `facts` has one that is not of `known`, or two that exclude each other. */
export function checkFacts(
  facts: readonly Fact[],
  known: readonly Fact[],
  [one, other]: readonly [Fact, Fact],
): void {
  const stranger = facts.find(fact => !known.includes(fact))
  if (stranger !== undefined) throw unreadable(`'${stranger}' is no fact of this side`)
  if (facts.includes(one) && facts.includes(other)) throw unreadable(`it has both '${one}' and '${other}'`)
}

function unreadable(why: string): VfioError {
  return new VfioError('ERR_VFIO_OWNERSHIP', `The journal of a migration cannot be: ${why}`)
}
