// SPDX-License-Identifier: Apache-2.0
import { errno } from '../kernel/errno.ts'
import { nextState, stateName, stateNumber, type MachineFlags, type StateName } from '../kernel/state.ts'
import type { Driver, Session } from './drivers/driver.ts'
import type { FaultPlan } from './fault_plan.ts'
import type { History } from './history.ts'

export interface MachineParts {
  readonly flags: MachineFlags
  readonly faults: FaultPlan
  readonly history: History
  /** A fault has another holder reset the device. */
  readonly onReset: () => void
}

/** The migration state of a device, and the loop of every driver's set_state. With the state mutex held. */
export class StateMachine {
  readonly #parts: MachineParts
  #state: StateName = 'RUNNING'

  constructor(parts: MachineParts) {
    this.#parts = parts
  }

  get state(): StateName {
    return this.#state
  }

  /** A reset has made it so, or the adapter. */
  become(state: 'RUNNING' | 'ERROR'): void {
    this.#state = state
    if (state === 'ERROR') this.#parts.history.record({ kind: 'event', event: 'error' })
  }

  /** Steps along the table until the state is `target` or a step fails: the session that came of it, 0, or -errno. */
  async walk(driver: Driver, target: number): Promise<Session | number> {
    const before = driver.beforeSet?.() ?? 0
    if (before < 0) return before
    let made: Session | number = 0
    while (stateNumber(this.#state) !== target) {
      const to = stateName(target)
      const next = to && nextState(this.#state, to, this.#parts.flags)
      if (next === undefined) {
        driver.onRefused?.(target)
        return -errno.EINVAL
      }
      made = await this.#step(driver, next)
      if (typeof made === 'number' && made < 0) return made
    }
    return made
  }

  async #step(driver: Driver, to: StateName): Promise<Session | number> {
    const { faults, history, onReset } = this.#parts
    const from = this.#state
    const fault = faults.take(`${from}->${to}`)
    if (fault?.reset === true) onReset()
    await faults.hold(fault)
    const made = fault?.errno === undefined ? await driver.step(from, to) : -errno[fault.errno]
    const failed = typeof made === 'number' && made < 0
    history.record({ kind: 'arc', from, to, errno: failed ? made : 0 })
    if (!failed) this.#state = to
    return made
  }
}
