// SPDX-License-Identifier: Apache-2.0
import type { Origin } from '../backend/seam.ts'
import type { HardwareFacts } from '../host/hardware.ts'
import type { MachineFacts } from '../host/machine.ts'
import type { Capabilities } from '../kernel/feature.ts'
import type { StateName } from '../kernel/state.ts'
import type { LoggedMemory } from './dma_log.ts'

/** What one side tells of a device before it moves. Plain JSON: the other side may be on another host. */
export interface SideFacts {
  /** What messages call it. */
  readonly name: string
  /** Tells open devices apart, also mocks of one name: two facts with one handle are of one device. */
  readonly handle: string
  readonly driver: string | undefined
  readonly mock: boolean
  readonly origin: Origin
  /** Undefined for a device that does not migrate. */
  readonly state: StateName | undefined
  readonly capabilities: Capabilities
  /** VFIO_DEVICE_FEATURE_MIG_DATA_SIZE; undefined where the driver does not tell. */
  readonly stateBytes: number | undefined
  /** Why it does not migrate, and what would help. */
  readonly notMigratable: string | undefined
  /** Undefined for a mock, and for an fd that does not tell its device. */
  readonly hardware: HardwareFacts | undefined
}

/** A device and the one that is to take its state. */
export interface PairFacts {
  readonly from: SideFacts
  readonly to: SideFacts
}

/** The machines that the two sides are on. */
export interface Machines {
  readonly from: MachineFacts
  readonly to: MachineFacts
}

export interface PreflightOptions {
  /** Ids of rules that are not to stop the migration. What they find is told all the same. */
  readonly overrides?: readonly string[] | undefined
  /** The devices of a set do no DMA to each other, so that they need not have P2P. */
  readonly noP2pDma?: boolean | undefined
  /**
   * How many virtual functions of one physical function may move at a time, those of both sides together where it has both;
   * by default 4 for mlx5, any number for others. Only those of this call are counted.
   */
  readonly perPfLimit?: number | undefined
  /** The DMA of the sources is to be logged. */
  readonly dmaLogging?: LoggedMemory | undefined
}

/** What the rules look at. */
export interface Move {
  readonly pairs: readonly PairFacts[]
  readonly machines: Machines
  readonly options: PreflightOptions
}

export type Level = 'refuse' | 'warn'

/** A rule that applied, in words. Plain JSON. */
export interface Finding {
  readonly id: string
  /** What it does unless it is overridden. */
  readonly level: Level
  /** The device that it is about; where several are, the first. */
  readonly device: string
  readonly cause: string
  readonly remedy: string
  readonly overridable: boolean
  readonly overridden: boolean
}
