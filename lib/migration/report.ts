// SPDX-License-Identifier: Apache-2.0
import type { Finding } from '../checks/preflight_facts.ts'
import { VfioError, type Arc, type Recovery } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import type { Outcome } from './participant.ts'
import type { MomentReport } from './participation.ts'
import type { PhaseTime } from './phases.ts'
import type { DowntimeParts, Forecast, Prediction, RoundSample } from './progress.ts'

/** What a migration did with one of its devices. */
export interface SideReport {
  readonly device: string
  readonly driver: string | undefined
  /** The device is simulated. */
  readonly mock: boolean
  readonly arcs: readonly Arc[]
  /** The state at the end, as the kernel answered; undefined when it could not be asked. */
  readonly state: StateName | undefined
  /** It was reset, as `onStuck` says: it holds nothing of what it held. */
  readonly wasReset: boolean
  /** What the device needs now. */
  readonly recovery: Recovery
  /** Why the device is not where it should be. */
  readonly error?: Error
}

/** One device of a set: where it came from, where it went. */
export interface PairReport {
  readonly source: SideReport
  readonly destination: SideReport
  /** Bytes of device state that were moved. */
  readonly bytes: number
  /** Of those, bytes that were moved while the source was running. */
  readonly precopyBytes: number
  /** Bytes that the participant sent along. */
  readonly sideDataBytes: number
  /**
   * Of the bytes that were moved, in their order: `crc32:` and 8 hexadecimal digits, or `fletcher128:` and 32 where they went
   * from lane to lane inside this process. Absent where the source has not given all.
   */
  readonly digest?: string
  /** How often the device began anew (REINIT). */
  readonly restarts: number
  /** The driver silently gave pre-copy up: the whole state was moved while the device stood. */
  readonly gaveUpPrecopy: boolean
  readonly samples: readonly RoundSample[]
}

/** A round of pre-copy, and what was decided after it. */
export interface RoundReport extends Forecast {
  /** When it ended, in ms from the beginning. */
  readonly atMs: number
  /** Bytes that it moved. */
  readonly bytes: number
}

/** What a migration did. Times in ms on the source's clock. */
export interface MigrationReport {
  /** Whose devices may run now. `unknown`: the source has yielded, and the destination does not answer. */
  readonly outcome: Outcome
  /** What the preflight found and did not refuse for: warnings, and rules that were overridden. */
  readonly findings: readonly Finding[]
  readonly devices: readonly PairReport[]
  readonly phases: readonly PhaseTime[]
  readonly rounds: readonly RoundReport[]
  /** What was foreseen when it was decided to switch. */
  readonly predicted?: Prediction
  /** What the downtime was made of. Absent where it did not come to that. */
  readonly downtime?: DowntimeParts
  /** From the first arc that stopped the source to the word that the destination runs. 0 where it did not come to that: see `pausedMs`. */
  readonly downtimeMs: number
  /**
   * Of a migration that was taken back: from the first arc that stopped a source until every source ran again. Absent where
   * none stood, and where one does not run again with what it held; what became of that one says its report.
   */
  readonly pausedMs?: number
  readonly participant: readonly MomentReport[]
  /** From the call of `quiesce` to the return of `running`. */
  readonly participantDowntimeMs?: number
  /** All devices together. */
  readonly bytes: number
  readonly precopyBytes: number
  readonly totalMs: number
  /** One of the devices is simulated, or all are: the numbers say nothing of hardware. */
  readonly mock: boolean
}

/** A migration that did not happen, or whose destination may have run but does not. `cause` is the first failure; the report says where each device was left. */
export class MigrationError extends VfioError {
  readonly report: MigrationReport

  constructor(cause: unknown, report: MigrationReport) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const sides = report.devices.flatMap(({ source, destination }) => [source, destination])
    const places = sides.map(where).join('; ')
    super('ERR_VFIO_MIGRATION', `The migration failed: ${why}. ${places}`, {
      cause,
      recovery: sides.some(({ recovery }) => recovery === 'reset') ? 'reset' : 'none',
    })
    this.report = report
  }
}

function where({ device, state, recovery, wasReset }: SideReport): string {
  const now = `'${device}' is in ${state ?? 'a state that it does not tell'}`
  if (wasReset) return `${now} after a reset`
  return recovery === 'reset' ? `${now} and needs reset()` : now
}
