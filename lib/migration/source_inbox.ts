// SPDX-License-Identifier: Apache-2.0
import type { Abdicated, Complete, DestinationMessage, Loaded, Running } from '../wire/message.ts'
import { Condition } from './condition.ts'
import type { SourceLink } from './outflow.ts'

type Kind = DestinationMessage['kind']
type Of<K extends Kind> = Extract<DestinationMessage, { readonly kind: K }>

/** What the destination has said so far. */
export class SourceInbox {
  readonly #said = new Map<Kind, DestinationMessage>()
  readonly #complete = new Set<number>()
  readonly #changed = new Condition()
  readonly #onLoaded: (loaded: Loaded) => void
  readonly #onComplete: (complete: Complete) => void
  readonly #onRunning: () => void
  readonly #onLost: (error: unknown) => void

  /**
   * `onLost` is told when the destination abdicates unasked, and when the link ends; what the others throw ends it on this
   * side.
   */
  constructor({
    onLoaded,
    onComplete,
    onRunning,
    onLost,
  }: {
    onLoaded: (loaded: Loaded) => void
    onComplete: (complete: Complete) => void
    onRunning: () => void
    onLost: (error: unknown) => void
  }) {
    this.#onLoaded = onLoaded
    this.#onComplete = onComplete
    this.#onRunning = onRunning
    this.#onLost = onLost
  }

  /** Takes what comes until the link ends. */
  async listen(link: SourceLink): Promise<void> {
    try {
      for (;;) this.#take(await link.receive())
    } catch (error) {
      this.#changed.fail(error)
      this.#onLost(error)
    }
  }

  /** The message of this kind, when it comes. Rejects when the link ends before. */
  async expect<K extends Kind>(kind: K): Promise<Of<K>> {
    await this.#changed.until(() => this.#said.has(kind))
    return this.#said.get(kind) as Of<K>
  }

  /** Resolves when all of the set are complete. */
  async allComplete(count: number): Promise<void> {
    await this.#changed.until(() => this.#complete.size === count)
  }

  /** What became of the state: the destination has it, or never will. */
  async settled(): Promise<Running | Abdicated> {
    await this.#changed.until(() => this.#said.has('running') || this.#said.has('abdicated'))
    return (this.#said.get('running') ?? this.#said.get('abdicated')) as Running | Abdicated
  }

  #take(message: DestinationMessage): void {
    if (message.kind === 'loaded') this.#onLoaded(message)
    else if (message.kind === 'complete') {
      this.#onComplete(message)
      this.#complete.add(message.member)
    } else this.#said.set(message.kind, message)
    if (message.kind === 'running') this.#onRunning()
    if (message.kind === 'abdicated') this.#onLost(message.error)
    this.#changed.changed()
  }
}
