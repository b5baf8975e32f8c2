// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { reproduction, type Case, type Scene, type Struck } from './case.js'
import { run, type Observed } from './stage.js'
import { errnoOfStatus } from './statuses.js'
import { judge } from './verdict.js'

/** What the cases came to, for those who ask whether everything was met. */
export interface Tally {
  cases: number
  /** Faults that no device came to, and events that no migration had: a series ends with one. */
  missed: number
  /** What this process had taken of the machine's time before the first of them. */
  begunWith: NodeJS.CpuUsage | undefined
  /** How often each row of docs/recovery.md was the one. */
  readonly rows: Map<string, number>
  /** `deed phase` in which a deed was done; `flavour side point` of faults that struck, and `flavour point errno`. */
  readonly met: Set<string>
}

export const tally: Tally = {
  cases: 0,
  missed: 0,
  begunWith: undefined,
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

function meet({ flavour }: Scene, { side, fault: { on, errno, status } }: Struck): void {
  tally.met.add(`${flavour} ${side} ${on}`)
  const told = status === undefined ? errno : errnoOfStatus(status)
  if (told !== undefined) tally.met.add(`${flavour} ${on} ${told}`)
  if (status !== undefined) tally.met.add(`${flavour} ${on} status ${status}`)
}

/** The matrix takes time from now on: what other suites of this process took was before. */
export function begin(): void {
  tally.begunWith ??= process.cpuUsage()
}

/** Runs a case; false where what was to happen never came. */
export async function hits(given: Case, failed: string[]): Promise<boolean> {
  const { wasHit } = await attempt(given, failed)
  return wasHit
}

/** Runs a case, and holds what came of it against the page, unless what was to happen never came. */
export async function attempt(given: Case, failed: string[]): Promise<Observed> {
  begin()
  const seen = await run(given)
  if (!seen.wasHit) {
    tally.missed++
    return seen
  }
  tally.cases++
  for (const struck of given.faults ?? []) meet(given.scene, struck)
  if (seen.deedIn) tally.met.add(`${deedOf(given)} ${seen.deedIn}`)
  try {
    count(await judge(given, seen))
  } catch (error) {
    failed.push(
      `${error instanceof Error ? error.message.split('\n').slice(0, 14).join(' ') : String(error)}\n    ${reproduction(given)}`,
    )
  }
  return seen
}

/** All at once, so that one failure does not hide the others. */
export function assertNone(failed: readonly string[]): void {
  assert.equal(failed.length, 0, `${failed.length} cases failed:\n${failed.slice(0, 12).join('\n')}`)
}
