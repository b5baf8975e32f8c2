// SPDX-License-Identifier: Apache-2.0
import { setImmediate as turn } from 'node:timers/promises'
import { Dice } from './dice.js'
import { Holder } from './holder.js'
import { choose } from './operations.js'
import type { Tally } from './tally.js'

export interface CrewOptions {
  readonly seed: readonly number[]
  readonly devices: readonly number[]
  readonly directory: string
  readonly tally: Tally
}

/** The holders of one thread. */
export class Crew {
  readonly #holders: Holder[] = []
  readonly #tally: Tally

  constructor({ seed, devices, directory, tally }: CrewOptions) {
    this.#tally = tally
    for (const index of devices)
      this.#holders.push(new Holder(index, new Dice(...seed, index), directory, this.#holders))
  }

  /** Each begins so many operations, not one after another; `then` is called after each. */
  async work(count: number, then: () => void = () => undefined): Promise<void> {
    await Promise.all(
      this.#holders.map(async holder => {
        for (let i = 0; i < count; i++) {
          await this.#begin(holder)
          then()
        }
      }),
    )
  }

  async finish(): Promise<void> {
    await Promise.all(this.#holders.map(holder => holder.finish()))
    for (const { failure } of this.#holders) if (failure !== undefined) throw failure
  }

  /** One operation, waited for or not. */
  async #begin(holder: Holder): Promise<void> {
    if (holder.failure !== undefined) throw holder.failure
    const operation = choose(holder)
    this.#tally.count(operation, 'begun')
    const end = holder.begin(operation.name, operation.begin).then(isGood => {
      if (isGood) this.#tally.count(operation, 'done')
    })
    if (operation.ends && !holder.dice.oneIn(3)) await end
    for (let turns = holder.dice.below(4); turns > 0; turns--) await turn()
  }
}
