// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import { isVfioError, type Arc, type VfioError, type VfioSystemError } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import type { SideReport } from './report.ts'

/** One of the two devices of a migration, with the record of what was done to it. */
export class Side {
  readonly device: Device
  readonly #arcs: Arc[] = []
  /** States that it was led into, also where the arc failed behind them. */
  readonly #entered = new Set<StateName>()
  /** Where it was being led when it went away without a word. */
  #lostOnTheWayTo: StateName | undefined
  readonly #onArcs: (arcs: readonly Arc[]) => void

  constructor(device: Device, onArcs: (arcs: readonly Arc[]) => void) {
    this.device = device
    this.#onArcs = onArcs
  }

  async go(target: StateName, options: { signal?: AbortSignal } = {}): Promise<void> {
    try {
      this.#record(await this.device.setState(target, options))
    } catch (error) {
      if (isVfioError(error)) this.#recordFailure(error)
      throw error
    }
  }

  /** True when it was led into any state. */
  get hasMoved(): boolean {
    return this.#entered.size > 0
  }

  /** True when a state was, or was to be, loaded into the device: it is not what it was. */
  get wasResumed(): boolean {
    return this.#entered.has('RESUMING')
  }

  /** True when the device left the state that was loaded into it, or may have: from then on it may have run. */
  get mayHaveRun(): boolean {
    const loaded = this.#arcs.findIndex(({ from }) => from === 'RESUMING')
    return loaded >= 0 && (this.#arcs.length > loaded + 1 || this.#lostOnTheWayTo === 'RUNNING')
  }

  async report(error?: Error): Promise<SideReport> {
    const { name, driver, mock } = this.device
    const state = await this.device.state().catch(() => undefined)
    const stuck = state === undefined || state === 'ERROR' || state === 'RESUMING'
    const recovery = stuck ? 'reset' : 'none'
    return { device: name, driver, mock, arcs: [...this.#arcs], state, recovery, ...(error && { error }) }
  }

  /** A SET can fail when its state is there already, because the process has no fd for the session. */
  #recordFailure({ code, arcs, failedArc, state }: VfioError | VfioSystemError): void {
    this.#record(arcs)
    if (code === 'ENODEV' && state === undefined) this.#lostOnTheWayTo = failedArc?.to
    if (failedArc && failedArc.to === state) this.#entered.add(state)
  }

  #record(arcs: readonly Arc[]): void {
    this.#arcs.push(...arcs)
    for (const { to } of arcs) this.#entered.add(to)
    if (arcs.length > 0) this.#onArcs(arcs)
  }
}
