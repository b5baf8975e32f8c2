// SPDX-License-Identifier: Apache-2.0
import { operations, type Operation } from './operations.js'

/** How often each operation was begun, and how often it did what it is for: of all threads. */
export class Tally {
  readonly memory: SharedArrayBuffer
  readonly #counts: Int32Array

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(operations.length * 8)) {
    this.memory = memory
    this.#counts = new Int32Array(memory)
  }

  count(operation: Operation, what: 'begun' | 'done'): void {
    Atomics.add(this.#counts, operations.indexOf(operation) * 2 + (what === 'done' ? 1 : 0), 1)
  }

  get begun(): number {
    return operations.reduce((sum, _, i) => sum + Atomics.load(this.#counts, i * 2), 0)
  }

  /** `chunks 20/31, …` */
  toString(): string {
    return operations
      .map(({ name }, i) => `${name} ${this.#counts[i * 2 + 1]}/${this.#counts[i * 2]}`)
      .join(', ')
  }
}
