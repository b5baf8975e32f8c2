// SPDX-License-Identifier: Apache-2.0
import { MemoryJournal, type Fact, type Journal } from '#lib/ownership/journal.js'

/** A journal whose writes settle when the test says so. */
export class HeldJournal implements Journal {
  readonly #kept = new MemoryJournal()
  readonly asked: Fact[] = []
  #settle: { resolve: () => void; reject: (why: Error) => void } | undefined

  append(fact: Fact): Promise<void> {
    this.asked.push(fact)
    return new Promise<void>((resolve, reject) => (this.#settle = { resolve, reject }))
  }

  read(): Promise<readonly Fact[]> {
    return this.#kept.read()
  }

  durable(): void {
    this.#settle?.resolve()
  }

  fail(): void {
    this.#settle?.reject(noSpace)
  }
}

export const noSpace = new Error('ENOSPC')

/** A journal that finds `facts`, and whose first write fails. */
export class FailingJournal extends MemoryJournal {
  #fails = true

  /** So does the next one. */
  failNext(): void {
    this.#fails = true
  }

  override async append(fact: Fact): Promise<void> {
    const fails = this.#fails
    this.#fails = false
    if (fails) throw noSpace
    await super.append(fact)
  }
}

/** What is left of a journal when the process dies after each of its writes. */
export function prefixes(facts: readonly Fact[]): Fact[][] {
  return [...facts.keys(), facts.length].map(length => facts.slice(0, length))
}
