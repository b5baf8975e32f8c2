// SPDX-License-Identifier: Apache-2.0
import { destinationTable, type DestinationEvent, type DestinationState } from '#lib/ownership/destination.js'
import { sourceTable, type SourceEvent, type SourceState } from '#lib/ownership/source.js'
import type { Table } from '#lib/ownership/table.js'

/** What both sides keep to: the tables of the library, and the rules of docs/protocol.md for who uses them. */
export interface Rules {
  readonly sourceTable: Table<SourceState, SourceEvent>
  readonly destinationTable: Table<DestinationState, DestinationEvent>
  /** Where `yielded`, and `end` after it, may be sent. */
  readonly yieldedIsToldIn: readonly SourceState[]
  readonly abdicatedIsToldIn: readonly DestinationState[]
  /** A process that recovers gets the device's lock first. */
  readonly lockFirst: boolean
  /** The source calls reclaim() after `yielded` only when it was shown `abdicated`. */
  readonly proofFirst: boolean
  /** A process that comes back does not go by what the one before it may not have sent. */
  readonly provenAfterCrash: boolean
  /** Nothing is decided at the destination while an arc out of STOP is in the kernel. */
  readonly arcFirst: boolean
  /** `end` is sent only after `yielded`. */
  readonly endAfterYielded: boolean
  /** A device is led back to STOP only after `ran` is durable. */
  readonly ranFirst: boolean
  /** After a crash every device of the set has to be in STOP for foundStopped(). */
  readonly allFoundStopped: boolean
  /** `end` is taken only after `yielded`. */
  readonly yieldedFirst: boolean
  /** The commit needs `yielded`. */
  readonly commitNeedsYielded: boolean
  /** What was asked for and is unknown is written down as abdicated before it is answered. */
  readonly unknownIsWritten: boolean
  /** A destination that has all goes on when the link breaks, or when the source asks and does not want it back. */
  readonly completeGoesOn: boolean
  /** A source whose device is blank does not ask for it back. */
  readonly blankAsksNothingBack: boolean
  /** A destination that cannot know says so. */
  readonly lostIsTold: boolean
}

export const rules: Rules = {
  sourceTable,
  destinationTable,
  yieldedIsToldIn: ['yielded'],
  abdicatedIsToldIn: ['abdicated'],
  lockFirst: true,
  proofFirst: true,
  provenAfterCrash: true,
  arcFirst: true,
  endAfterYielded: true,
  ranFirst: true,
  allFoundStopped: true,
  yieldedFirst: true,
  commitNeedsYielded: true,
  unknownIsWritten: true,
  completeGoesOn: true,
  blankAsksNothingBack: true,
  lostIsTold: true,
}
