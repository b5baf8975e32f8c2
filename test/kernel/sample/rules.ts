// SPDX-License-Identifier: Apache-2.0
// What holds of every case whatever the mock says of it, and docs/recovery.md.
import assert from 'node:assert/strict'
import type { SideName } from '../../matrix/case.ts'
import { isTouched, type Sampled } from './case.ts'
import type { End } from './end.ts'
import type { Played } from './play.ts'

const sides = ['source', 'destination'] as const

export function check(given: Sampled, played: Played, end: End): void {
  checkOwners(played, end)
  for (const side of sides) {
    const { holds, runs, state } = end[side]
    assert.ok(holds.isTrue, `the ${side} holds no state that ever was`)
    assert.equal(runs, state === 'RUNNING' || state === 'PRE_COPY', `the ${side} says ${state}`)
  }
  if (end.outcome === 'destination') checkMoved(given, played, end)
  else checkTakenBack(given, played, end)
}

/** Never do both execute the state that is moved, and never does the one that it does not belong to. */
function checkOwners({ twoOwners, moments, moved }: Played, end: End): void {
  assert.deepEqual(twoOwners, [], 'two owners')
  for (const [moment, owners] of moments) assert.ok(owners.length < 2, moment)
  const owners = sides.filter(side => end[side].runs && end[side].holds.of === moved)
  assert.ok(owners.length < 2, 'both run at the end')
}

/** The destination has what the source had when it stood, and that still has it. */
function checkMoved(given: Sampled, { loaded, atEnd, steps }: Played, end: End): void {
  assert.ok(loaded, 'nothing was loaded')
  const isTheirs = (side: SideName): boolean => isTouched(given, side)
  assert.equal(loaded.destination.digest, loaded.source.digest, 'digests')
  assert.equal(loaded.destination.of, loaded.source.of)
  if (!isTheirs('source')) {
    assert.deepEqual(atEnd.source, loaded.source, 'the source went on')
    assert.equal(end.source.runs, false)
  }
  if (isTheirs('destination')) return
  assert.equal(atEnd.destination.epoch, loaded.destination.epoch + steps.destination)
  assert.equal(atEnd.destination.of, loaded.destination.of)
  assert.ok(end.destination.runs || end.destination.told?.error, 'nobody runs it')
}

/** The source has what it had, and its own steps; the destination has made none of them. */
function checkTakenBack(given: Sampled, { steps, atBegin }: Played, end: End): void {
  assert.equal(steps.destination, 0, 'the destination executed what is the source’s')
  const { runs, holds } = end.destination
  assert.ok(!(runs && holds.of.startsWith('source')), 'the destination runs it')
  if (isTouched(given, 'source') || end.source.resets > 0) return
  const { epoch, of } = end.source.holds
  assert.deepEqual([of, epoch], ['source', atBegin.source.epoch + steps.source], 'the source was changed')
  const { told, state } = end.source
  if (told?.error === undefined && told?.recovery !== 'reset')
    assert.equal(state, given.scene.begins ?? 'RUNNING')
}
