// SPDX-License-Identifier: Apache-2.0
import type { Case, Deed, SideName } from '../../matrix/case.ts'
import type { End } from './end.ts'

/** What is done where a case of the matrix knows no such deed. */
export type SampledDeed =
  | Deed
  /** The stop rule does not want to go on. */
  | { readonly kind: 'gives up' }
  /** The device of the source: all that it gave counts for nothing. */
  | { readonly kind: 'begins anew' }
  /** The physical function takes its function away. */
  | { readonly kind: 'taken away'; readonly side: SideName }

/** A cell of the matrix that the bottled driver can have as well, and a few that only the sample has. */
export interface Sampled extends Pick<Case, 'scene' | 'faults' | 'whileHeld' | 'participant'> {
  /**
   * Done when the migration comes to that: `phase run`, `round 1`, `arcs source RUNNING->PRE_COPY`, `moment stopped` when
   * it is over; `in stopped`, which the engine awaits; `rule 1` when the stop rule is asked after that round.
   */
  readonly at?: { readonly on: string; readonly deed: SampledDeed }
  /** The participant fails while a fault holds something. */
  readonly failsWhileHeld?: true
}

/** The case as the matrix has it, so that docs/recovery.md says how it ends; undefined where the page does not know of it. */
export function asOfMatrix(
  { at, scene, faults, whileHeld, participant }: Sampled,
  { outcome }: Pick<End, 'outcome'>,
): Case | undefined {
  // A byte that nobody minds is none that fails.
  if (outcome === 'destination' && faults?.some(({ fault }) => fault.flip !== undefined)) return { scene }
  const known = {
    scene,
    ...(faults && { faults }),
    ...(whileHeld && { whileHeld }),
    ...(participant && { participant }),
  }
  if (at === undefined) return known
  const { deed } = at
  if (deed.kind === 'gives up') return undefined
  // What these come to is seen by what fails of it.
  if (deed.kind === 'begins anew' || deed.kind === 'taken away') return known
  return { ...known, at: { event: NaN, deed } }
}

/** Somebody else had a hand in it at this side. */
export function isTouched({ at, whileHeld }: Sampled, side: SideName): boolean {
  return [at?.deed, whileHeld].some(deed => deed !== undefined && 'side' in deed && deed.side === side)
}
