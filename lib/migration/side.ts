// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import { isVfioError, type Arc } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import type { SideReport } from './report.ts'

/** One of the two devices of a migration, with the record of what was done to it. */
export class Side {
  readonly device: Device
  readonly #arcs: Arc[] = []
  readonly #onArcs: (arcs: readonly Arc[]) => void

  constructor(device: Device, onArcs: (arcs: readonly Arc[]) => void) {
    this.device = device
    this.#onArcs = onArcs
  }

  async go(target: StateName, options: { signal?: AbortSignal } = {}): Promise<void> {
    try {
      this.#record(await this.device.setState(target, options))
    } catch (error) {
      if (isVfioError(error)) this.#record(error.arcs)
      throw error
    }
  }

  /** True when any arc was made. */
  get hasMoved(): boolean {
    return this.#arcs.length > 0
  }

  /** True when a state was, or was to be, loaded into the device: it is not what it was. */
  get wasResumed(): boolean {
    return this.#arcs.some(({ to }) => to === 'RESUMING')
  }

  /** True when the device left the state that was loaded into it: from then on it may have run. */
  get mayHaveRun(): boolean {
    const loaded = this.#arcs.findIndex(({ from }) => from === 'RESUMING')
    return loaded >= 0 && this.#arcs.length > loaded + 1
  }

  async report(error?: Error): Promise<SideReport> {
    const { name, driver, mock } = this.device
    const state = await this.device.state().catch(() => undefined)
    const stuck = state === undefined || state === 'ERROR' || state === 'RESUMING'
    const recovery = stuck ? 'reset' : 'none'
    return { device: name, driver, mock, arcs: [...this.#arcs], state, recovery, ...(error && { error }) }
  }

  #record(arcs: readonly Arc[]): void {
    this.#arcs.push(...arcs)
    if (arcs.length > 0) this.#onArcs(arcs)
  }
}
