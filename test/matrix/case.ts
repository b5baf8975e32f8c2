// SPDX-License-Identifier: Apache-2.0
import type { Moment } from '#lib/migration/participant.js'
import type { Fault, FlavourName } from 'vfio-migrate/mock'

export type SideName = 'source' | 'destination'

/** The devices of a case, and how they are migrated. */
export interface Scene {
  readonly flavour: FlavourName
  /** Of the source; what its flavour has, unless told. */
  readonly precopy?: false
  readonly members: 1 | 2
  /** They do no DMA to each other: none waits for another. */
  readonly noP2pDma?: true
  /** Where the sources are found; RUNNING, unless told. */
  readonly begins?: 'STOP' | 'RUNNING_P2P'
  readonly origin: 'opened' | 'lent'
  readonly onStuck?: 'reset' | 'leave'
  readonly logged?: true
  readonly chunked?: true
  /** Saving and loading take their time, and a limit that the whole state does not fit in. */
  readonly tight?: true
}

/** A fault of one of the devices. */
export interface Struck {
  readonly side: SideName
  readonly member: number
  readonly fault: Fault
}

/** What somebody does while a migration is under way. */
export type Deed =
  | { readonly kind: 'signal' }
  | { readonly kind: 'onProgress throws' }
  /** Another holder of the device. */
  | { readonly kind: 'reset' | 'moved'; readonly side: SideName; readonly member: number }

/** One cell of the matrix: plain data, which is its own reproduction. */
export interface Case {
  readonly scene: Scene
  readonly faults?: readonly Struck[]
  /** Done while a fault holds something; what is held is let go afterwards. */
  readonly whileHeld?: Deed
  /** Done at the event of this number, from 0. */
  readonly at?: { readonly event: number; readonly deed: Deed }
  /** `begins anew`: the device of the last source does, at that moment. */
  readonly participant?: { readonly moment: Moment; readonly how: 'throws' | 'hangs' | 'begins anew' }
}

/** A command line that runs this case alone. */
export function reproduction(given: Case): string {
  return `VFIO_MIGRATE_CASE='${JSON.stringify(given)}' npx mocha dist-test/matrix/one_case.test.js`
}

/** A write after somebody else's reset crashes a kernel with virtio, and no client can know of it before: no case. */
export function crashesByOthers(flavour: FlavourName, side: SideName): boolean {
  return flavour === 'virtio' && side === 'destination'
}
