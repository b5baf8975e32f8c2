// SPDX-License-Identifier: Apache-2.0
import type { IovaRange } from '../device/dma_logging.ts'
import type { Device } from '../device/device.ts'
import type { Arc } from '../errors.ts'
import type { Moment, Participant } from './participant.ts'
import type { Phase } from './phases.ts'
import type { PresetPolicyOptions } from './policy.ts'
import type { Forecast, Policy, PolicyProgress, Reasoned, RoundSample } from './progress.ts'

/** What to migrate, and how. No device is closed. */
export interface MigrateOptions extends PresetPolicyOptions {
  /** Gives its state and does not run afterwards: it ends in STOP. Several are moved as one. */
  readonly from: Device | readonly Device[]
  /** Takes the state and runs afterwards. As many as in `from`, in the same order. */
  readonly to: Device | readonly Device[]
  /** Whoever owns what the streams do not carry. */
  readonly participant?: Participant
  /** How long the participant may take, in ms; 10 000 for each moment that is not named. */
  readonly participantLimits?: Partial<Record<Moment, number>>
  /** What the participant is expected to take while the devices stand, in ms: it is foreseen as no time unless told. */
  readonly participantMs?: number
  /**
   * The stop rule, in place of `downtimeLimitMs`, `maxRounds`, `onStall` and `onOverrun`. A deadline is kept beside it, and it
   * is not asked whether initial bytes are to be loaded: it can switch when they are.
   */
  readonly policy?: Policy
  /** False stops the source at once, and moves everything while it stands. */
  readonly precopy?: boolean
  /** The most that is moved in a second, all devices together, in bytes. */
  readonly bandwidth?: number
  /** The devices of a set do not talk to each other: they need no P2P states, and none waits for another once all have begun to stop. */
  readonly noP2pDma?: boolean
  /**
   * How many functions of one physical function may be in migration at a time, sources and destinations together: 4 for
   * mlx5, else any. Other calls, of this process or another, are not counted.
   */
  readonly perPfLimit?: number
  /** Ids of preflight rules that do not refuse. */
  readonly overrides?: readonly string[]
  /** What becomes of a device that nothing but a reset helps: `'leave'` by default where it is lent, `'reset'` where it was opened here. */
  readonly onStuck?: 'reset' | 'leave'
  /** Which memory the devices dirty while they are moved. Begun before pre-copy; the last report comes when all devices stand. */
  readonly dmaLogging?: DmaLoggingOptions
  /** Honoured until the destination is committed; the source runs again then. */
  readonly signal?: AbortSignal
  /** What it throws ends the migration as long as that can be undone. */
  readonly onProgress?: (progress: MigrationProgress) => void
}

/** DMA logging of every source device while it is migrated. A source that cannot is refused before anything is touched. */
export interface DmaLoggingOptions {
  /** At most 256, none of which overlaps another, each of whole pages. */
  readonly ranges: readonly IovaRange[]
  /** The page size to ask for, in bytes: a power of two from 4096. The device may choose another. */
  readonly pageSize: number
  /** Told of the pages that a device wrote to, for each range: after every round, and once when the device stands. */
  readonly onDirty: (dirty: DirtyPages) => Promise<void> | void
}

export interface DirtyPages {
  readonly device: Device
  readonly range: IovaRange
  /** In bytes, as the device chose it. */
  readonly pageSize: number
  /** Bit k of the words, the lowest first, is page k of the range. */
  readonly bitmap: BigUint64Array
  /** The device stands: there will be no more. */
  readonly isLast: boolean
}

/** What happens, as it happens, and what is foreseen meanwhile. */
export type MigrationProgress = Happening & {
  /** Absent before pre-copy has begun. Events between two rounds have one and the same. */
  readonly forecast?: Forecast
}

/** What there is to tell of. @internal */
export type Happening =
  | { readonly kind: 'phase'; readonly phase: Phase }
  | {
      readonly kind: 'arcs'
      readonly side: 'source' | 'destination'
      readonly device: string
      readonly arcs: readonly Arc[]
    }
  | {
      /** The device of the destination has taken `bytes` bytes in all. */
      readonly kind: 'bytes'
      readonly device: string
      readonly member: number
      readonly phase: 'precopy' | 'stop-copy'
      readonly bytes: number
    }
  | {
      readonly kind: 'round'
      readonly progress: PolicyProgress
      readonly reasoned: Reasoned
      /** By device, in the order of `from`; undefined where a device has no pre-copy. */
      readonly samples: readonly (RoundSample | undefined)[]
    }
  | { readonly kind: 'moment'; readonly moment: Moment; readonly ms: number; readonly error?: unknown }
