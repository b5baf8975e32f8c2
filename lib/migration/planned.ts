// SPDX-License-Identifier: Apache-2.0
import type { Finding } from '../checks/preflight_facts.ts'
import type { Edge } from '../device/transition.ts'
import type { PrecopyClass } from '../kernel/drivers.ts'
import type { StateName } from '../kernel/state.ts'
import type { Moment } from './participant.ts'
import type { Phase } from './phases.ts'

export type SideName = 'source' | 'destination'

/**
 * One thing that would be done. What one step has for several devices happens at once, and the next step begins when all
 * of it is done. `member` counts the pairs from 0.
 */
export type PlannedStep =
  /** The SETs, device by device. */
  | { readonly kind: 'arcs'; readonly side: SideName; readonly members: readonly MemberArcs[] }
  /** No device goes on before all of its side are here: none may begin DMA to one that has stopped. */
  | { readonly kind: 'barrier'; readonly side: SideName }
  /** The participant is called and awaited. */
  | { readonly kind: 'moment'; readonly side: SideName; readonly moment: Moment }
  /** State flows from the source's device into the destination's: until there is nothing now, as often as the policy says, or until the end. */
  | { readonly kind: 'stream'; readonly member: number; readonly until: 'idle' | 'end' }
  /** The DMA logs of the sources: begun, asked after each round, asked when all stand, ended. */
  | { readonly kind: 'log'; readonly call: 'start' | 'report' | 'last report' | 'stop' }
  /** Nobody's state changes; the migration ends here where it does not hold. `apart`: the sources did not stop with the destinations. `whole`: count, sum and framing of what was loaded. */
  | { readonly kind: 'proof'; readonly of: 'apart' | 'whole' }
  /** A durable word about who may run. */
  | { readonly kind: 'word'; readonly side: SideName; readonly word: 'yielded' | 'run-intent' }

export interface MemberArcs {
  readonly member: number
  readonly device: string
  readonly arcs: readonly Edge[]
}

export interface PlannedPhase {
  readonly phase: Phase
  readonly steps: readonly PlannedStep[]
}

export interface PlannedDevice {
  readonly device: string
  readonly driver: string | undefined
  readonly mock: boolean
  /** Where it is now. */
  readonly state: StateName | undefined
}

export interface PlannedPair {
  readonly source: PlannedDevice
  readonly destination: PlannedDevice
  /** The size of the source's state as its driver tells it; pre-copy moves more than once what changes meanwhile. */
  readonly stateBytes: number | undefined
  readonly precopy: PrecopyClass
}

/** What a migration would do. Plain JSON; nothing was touched to make it. */
export interface MigrationPlan {
  /** Nothing refuses it. */
  readonly possible: boolean
  readonly findings: readonly Finding[]
  readonly pairs: readonly PlannedPair[]
  /** In their order; empty for a migration that is refused. */
  readonly phases: readonly PlannedPhase[]
  readonly predicted: {
    /** Of all states together; undefined where a driver does not tell. */
    readonly stateBytes: number | undefined
    /** Kernel memory that the drivers take, as far as it is known of them. */
    readonly kernelMemoryBytes: Readonly<Record<SideName, number>>
  }
}
