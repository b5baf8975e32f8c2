// SPDX-License-Identifier: Apache-2.0

/** What the source of one migration must not forget: see {@link sourceTable} for what follows from each. */
export const sourceFacts = ['yielded', 'reclaimed', 'released'] as const

export type SourceFact = (typeof sourceFacts)[number]

/** What the destination of one migration must not forget: see {@link destinationTable}. */
export const destinationFacts = ['accepted', 'run-intent', 'ran', 'abdicated'] as const

export type DestinationFact = (typeof destinationFacts)[number]

export type Fact = SourceFact | DestinationFact

/** Where one side of one migration writes down what a process that comes after it has to know. */
export interface Journal {
  /**
   * Resolves when `fact` is durable. Once it has rejected nobody knows whether the fact is there. Not called again before
   * it has settled.
   */
  append(fact: Fact): Promise<void>
  /** All facts, the oldest first. */
  read(): Promise<readonly Fact[]>
}

/** A journal that lasts as long as its process: for a migration whose two sides live and die together. */
export class MemoryJournal implements Journal {
  readonly #facts: Fact[]

  constructor(facts: readonly Fact[] = []) {
    this.#facts = [...facts]
  }

  append(fact: Fact): Promise<void> {
    this.#facts.push(fact)
    return Promise.resolve()
  }

  read(): Promise<readonly Fact[]> {
    return Promise.resolve([...this.#facts])
  }
}
