// SPDX-License-Identifier: Apache-2.0
import { VfioError, type Arc, type Recovery } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'

/** What a migration did with one of its two devices. */
export interface SideReport {
  readonly device: string
  readonly driver: string | undefined
  /** The device is simulated. */
  readonly mock: boolean
  readonly arcs: readonly Arc[]
  /** The state at the end, as the kernel answered; undefined when it could not be asked. */
  readonly state: StateName | undefined
  /** What the device needs now. */
  readonly recovery: Recovery
  /** Why the source is not in STOP, after a migration that happened all the same. */
  readonly error?: Error
}

/** What a migration did. Times in ms on the source's clock. */
export interface MigrationReport {
  readonly source: SideReport
  readonly destination: SideReport
  /** One of the two is simulated, or both are: the numbers say nothing of hardware. */
  readonly mock: boolean
  /** Bytes of device state that were moved. */
  readonly bytes: number
  /** Of those, bytes that were moved while the source was running. */
  readonly precopyBytes: number
  /** How often precopy info was asked. */
  readonly rounds: number
  /** From the source's first stopping arc to the destination's RUNNING. */
  readonly downtimeMs: number
  /** From the first arc of either side to the destination's RUNNING. */
  readonly totalMs: number
}

/** A migration that did not happen, or whose destination may have run but does not. `cause` is the first failure; the sides say where each device was left. */
export class MigrationError extends VfioError {
  readonly source: SideReport
  readonly destination: SideReport

  constructor(cause: unknown, source: SideReport, destination: SideReport) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super('ERR_VFIO_MIGRATION', `The migration failed: ${why}. ${where(source)}; ${where(destination)}`, {
      cause,
      recovery: source.recovery === 'none' ? destination.recovery : source.recovery,
    })
    this.source = source
    this.destination = destination
  }
}

function where({ device, state, recovery }: SideReport): string {
  const now = `'${device}' is in ${state ?? 'a state that it does not tell'}`
  return recovery === 'reset' ? `${now} and needs reset()` : now
}
