// SPDX-License-Identifier: Apache-2.0
import * as v from 'valibot'
import type {
  Edge,
  MigrationPlan,
  PlannedPair,
  PlannedPhase,
  PlannedStep,
  SideName,
  StateName,
} from '../../index.ts'
import { finding } from './finding.ts'
import { moment, phase } from './move.ts'
import { bytes, count, stateName, type Schema } from './parts.ts'

/** A `MigrationPlan`, of which JSON leaves out what a driver does not tell. */
export interface PlannedMigrationOutput extends Pick<MigrationPlan, 'possible' | 'findings' | 'phases'> {
  pairs: PlannedPairOutput[]
  predicted: {
    stateBytes?: number | undefined
    /** What the drivers take of it, as far as it is known of them. */
    kernelMemoryBytes: Record<SideName, number>
  }
}

export interface PlannedPairOutput extends Pick<PlannedPair, 'precopy'> {
  source: PlannedDeviceOutput
  destination: PlannedDeviceOutput
  stateBytes?: number | undefined
}

export interface PlannedDeviceOutput {
  device: string
  driver?: string | undefined
  mock: boolean
  state?: StateName | undefined
}

/** What `move --dry-run --json` prints. Where the migration is refused, the exit status is that of the refusal. */
export interface PlanOutput {
  schema: 1
  command: 'move'
  plan: PlannedMigrationOutput
}

const sideName: Schema<SideName> = v.picklist(['source', 'destination'])

const edge: Schema<Edge> = v.strictObject({ from: stateName, to: stateName })

const step: Schema<PlannedStep> = v.variant('kind', [
  v.strictObject({
    kind: v.literal('arcs'),
    side: sideName,
    members: v.array(v.strictObject({ member: count, device: v.string(), arcs: v.array(edge) })),
  }),
  v.strictObject({ kind: v.literal('barrier'), side: sideName }),
  v.strictObject({ kind: v.literal('moment'), side: sideName, moment }),
  v.strictObject({ kind: v.literal('stream'), member: count, until: v.picklist(['idle', 'end']) }),
  v.strictObject({ kind: v.literal('log'), call: v.picklist(['start', 'report', 'last report', 'stop']) }),
  v.strictObject({ kind: v.literal('proof'), of: v.picklist(['apart', 'whole']) }),
  v.strictObject({
    kind: v.literal('word'),
    side: sideName,
    word: v.picklist(['yielded', 'run-intent']),
  }),
])

const plannedPhase: Schema<PlannedPhase> = v.strictObject({ phase, steps: v.array(step) })

/** A driver that does not tell it leaves it out. */
const size: Schema<number | undefined> = v.optional(bytes)

const plannedDevice: Schema<PlannedDeviceOutput> = v.strictObject({
  device: v.string(),
  driver: v.optional(v.string()),
  mock: v.boolean(),
  state: v.optional(stateName),
})

const plannedPair: Schema<PlannedPairOutput> = v.strictObject({
  source: plannedDevice,
  destination: plannedDevice,
  stateBytes: size,
  precopy: v.picklist(['incremental', 'full', 'setup', 'none']),
})

export const plan: Schema<PlanOutput> = v.strictObject({
  schema: v.literal(1),
  command: v.literal('move'),
  plan: v.strictObject({
    possible: v.boolean(),
    findings: v.array(finding),
    pairs: v.array(plannedPair),
    phases: v.array(plannedPhase),
    predicted: v.strictObject({
      stateBytes: size,
      kernelMemoryBytes: v.strictObject({ source: bytes, destination: bytes }),
    }),
  }),
})
