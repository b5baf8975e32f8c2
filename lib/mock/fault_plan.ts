// SPDX-License-Identifier: Apache-2.0
import type { Fault, FaultPoint } from './faults.ts'
import { until, WaitQueue } from './wait.ts'

interface Armed {
  readonly fault: Fault
  left: number
}

/** The faults that are still to come, and those that hold something. */
export class FaultPlan {
  #armed: Armed[] = []
  readonly #released = new WaitQueue()
  readonly #reached = new WaitQueue()
  #releases = 0
  #held = 0

  add(fault: Fault): void {
    this.#armed.push({ fault, left: fault.nth ?? 1 })
  }

  /** Those that were never reached. */
  get unused(): Fault[] {
    return this.#armed.map(({ fault }) => fault)
  }

  /**
   * The device has reached `points`, all of them at once: the fault that strikes there now, if any. Every fault of one of
   * them counts that, also where another strikes. Of several that are due the one given first does; the others are due
   * the next time.
   */
  take(...points: readonly FaultPoint[]): Fault | undefined {
    const here = this.#armed.filter(({ fault }) => points.includes(fault.on))
    for (const armed of here) armed.left--
    const struck = here.find(({ left }) => left <= 0)
    if (struck) this.#armed = this.#armed.filter(armed => armed !== struck)
    return struck?.fault
  }

  /** Returns at once unless `fault` holds; then when it is released. */
  async hold(fault: Fault | undefined): Promise<void> {
    if (fault?.hold !== true) return
    const releases = this.#releases
    this.#held++
    this.#reached.wake()
    await until(this.#released, () => this.#releases > releases || undefined)
    this.#held--
  }

  /** How many calls and commands are held now. */
  get held(): number {
    return this.#held
  }

  /** Resolves when something is held. */
  async untilHeld(): Promise<void> {
    await until(this.#reached, () => this.#held > 0 || undefined)
  }

  /** Lets go everything that is held now. */
  release(): void {
    this.#releases++
    this.#released.wake()
  }
}
