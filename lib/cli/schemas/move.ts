// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import { moments, phases } from '../../index.ts'
import type {
  Arc,
  DowntimeParts,
  Finding,
  Moment,
  Outcome,
  Phase,
  PhaseTime,
  Prediction,
  RoundReport,
  RoundSample,
  StateName,
} from '../../index.ts'
import { cause, type CauseOutput } from './cause.ts'
import { finding } from './finding.ts'
import { keeping, type KeepingOutput } from './load.ts'
import { arc, bytes, count, device, mock, ms, recovery, stateName } from './parts.ts'
import type { DeviceOutput, Schema } from './parts.ts'
import { downtimeParts, prediction, round, sample } from './rounds.ts'

/** What a migration did with one device. */
export interface SideOutput {
  device: DeviceOutput
  arcs: Arc[]
  /** As the kernel answered at the end; absent when it could not be asked. */
  state?: StateName | undefined
  /** What is left to do with it. */
  recovery: 'none' | 'reset'
  /** It was reset: it holds nothing of what it held. */
  wasReset?: true | undefined
  /** Why it is not where it should be. Where the destination runs and the source has one, the exit status is 4. */
  error?: CauseOutput | undefined
}

/** Where a state was, and where it went. */
export interface PairOutput {
  source: SideOutput
  destination: SideOutput
  bytes: number
  /** Of those, bytes that were moved before the source was stopped. */
  precopyBytes: number
  /** What the participant sent along. */
  sideDataBytes: number
  /** Of the bytes that were moved: `crc32:` and 8 hexadecimal digits, or `fletcher128:` and 32. Absent where not all were. */
  digest?: string | undefined
  /** How often the device began anew. */
  restarts: number
  /** The driver gave pre-copy up without a word. */
  gaveUpPrecopy: boolean
  samples: RoundSample[]
}

/** A call of the participant. Where `running` or `resumed` failed, the exit status is 4. */
export interface MomentOutput {
  moment: Moment
  startedMs: number
  ms: number
  error?: CauseOutput | undefined
}

/** All that is known of a migration, whatever came of it. Times in ms. */
export interface ReportOutput {
  /** Whose devices may run now. */
  outcome: Outcome
  /** One of the devices is simulated, or all are. */
  mock?: true | undefined
  /** In the order of the command line. */
  devices: PairOutput[]
  phases: PhaseTime[]
  rounds: RoundReport[]
  /** What was foreseen when it was decided to switch. */
  predicted?: Prediction | undefined
  /** What the downtime was made of; absent where it did not come to one. */
  downtime?: DowntimeParts | undefined
  /** 0 where it did not come to one. */
  downtimeMs: number
  /** Where it was taken back, and all sources run again: how long they stood. Absent where none stood, or one is not back. */
  pausedMs?: number | undefined
  participant: MomentOutput[]
  /** From the call of `quiesce` to the return of `running`. */
  participantDowntimeMs?: number | undefined
  bytes: number
  precopyBytes: number
  totalMs: number
  /** What was found beforehand, and did not refuse. */
  findings: Finding[]
}

/** What `move --json` prints, and `--report` writes. */
export interface MoveOutput extends ReportOutput {
  schema: 1
  command: 'move'
  keeping: KeepingOutput
  /** Why the exit status is 4 although all is moved. */
  left?: string[] | undefined
}

export const phase: Schema<Phase> = v.picklist(phases)

export const moment: Schema<Moment> = v.picklist(moments)

const side: Schema<SideOutput> = v.strictObject({
  device,
  arcs: v.array(arc),
  state: v.optional(stateName),
  recovery,
  wasReset: v.optional(v.literal(true)),
  error: v.optional(cause),
})

const pair: Schema<PairOutput> = v.strictObject({
  source: side,
  destination: side,
  bytes,
  precopyBytes: bytes,
  sideDataBytes: bytes,
  digest: v.optional(v.string()),
  restarts: count,
  gaveUpPrecopy: v.boolean(),
  samples: v.array(sample),
})

const reportEntries = {
  outcome: v.picklist(['source', 'destination', 'unknown']),
  mock,
  devices: v.pipe(v.array(pair), v.minLength(1)),
  phases: v.array(v.strictObject({ phase, startedMs: ms, ms })),
  rounds: v.array(round),
  predicted: v.optional(prediction),
  downtime: v.optional(downtimeParts),
  downtimeMs: ms,
  pausedMs: v.optional(ms),
  participant: v.array(v.strictObject({ moment, startedMs: ms, ms, error: v.optional(cause) })),
  participantDowntimeMs: v.optional(ms),
  bytes,
  precopyBytes: bytes,
  totalMs: ms,
  findings: v.array(finding),
}

export const report: Schema<ReportOutput> = v.strictObject(reportEntries)

export const move: Schema<MoveOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('move'),
  ...reportEntries,
  keeping,
  left: v.optional(v.array(v.string())),
})
