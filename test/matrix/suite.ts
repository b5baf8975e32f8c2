// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { reproduction, type Case } from './case.js'
import { run } from './stage.js'
import { judge } from './verdict.js'

/** What the cases came to, for those who ask whether everything was met. */
export interface Tally {
  cases: number
  /** Faults that no device came to, and events that no migration had: a series ends with one. */
  missed: number
  /** What this process had taken of the machine's time before. */
  readonly begunWith: NodeJS.CpuUsage
  /** How often each row of docs/recovery.md was the one. */
  readonly rows: Map<string, number>
  /** `side phase` in which a deed was done, `side point` of faults that struck. */
  readonly met: Set<string>
}

export const tally: Tally = {
  cases: 0,
  missed: 0,
  begunWith: process.cpuUsage(),
  rows: new Map(),
  met: new Set(),
}

/** These rows of the page were the ones. */
export function count(ids: readonly string[]): void {
  for (const id of ids) tally.rows.set(id, (tally.rows.get(id) ?? 0) + 1)
}

function deedOf({ at, whileHeld }: Case): string {
  const deed = at?.deed ?? whileHeld
  if (deed === undefined) return 'participant'
  return 'side' in deed ? `${deed.kind} ${deed.side}` : deed.kind
}

/** Runs a case; false where what was to happen never came. */
export async function hits(given: Case, failed: string[]): Promise<boolean> {
  const seen = await run(given)
  if (!seen.wasHit) {
    tally.missed++
    return false
  }
  tally.cases++
  for (const { side, fault } of given.faults ?? [])
    tally.met.add(`${given.scene.flavour} ${side} ${fault.on}`)
  if (seen.deedIn) tally.met.add(`${deedOf(given)} ${seen.deedIn}`)
  try {
    count(await judge(given, seen))
  } catch (error) {
    failed.push(
      `${error instanceof Error ? error.message.split('\n').slice(0, 14).join(' ') : String(error)}\n    ${reproduction(given)}`,
    )
  }
  return true
}

/** All at once, so that one failure does not hide the others. */
export function assertNone(failed: readonly string[]): void {
  assert.equal(failed.length, 0, `${failed.length} cases failed:\n${failed.slice(0, 12).join('\n')}`)
}
