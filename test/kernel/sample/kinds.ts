// SPDX-License-Identifier: Apache-2.0
import { isAtLeast } from '../release.ts'
import type { Sampled } from './case.ts'
import { dealer } from './deck.ts'
import { aCallback, anew, anothersHand, aSignal, participant, takenAway } from './deeds.ts'
import * as failures from './failures.ts'
import type { Kind } from './scenes.ts'

/** The kernel tells when a device begins anew. */
export const knowsOfReinit = isAtLeast(7, 0)

/** What can go wrong with the bottled driver as with a mock of it, and how many of each kind the sample has. */
export const kinds: readonly (readonly [title: string, kind: Kind, count: number])[] = [
  ['a command that fails', failures.aCommand, knowsOfReinit ? 8 : 9],
  ['memory that cannot be had', failures.memory, 2],
  ['a command that is held when a signal fires', failures.heldAndSignal, 4],
  ['a command that is held when another resets its device', failures.heldAndReset, 4],
  ['a command that is held when the participant fails', failures.heldAndParticipant, 2],
  ['a call that fails beside the firmware', failures.aCall, 3],
  ['a stream that is cut or changed', failures.stream, 3],
  ['a DMA log that breaks or is held', failures.dmaLog, 2],
  ['a way back that is hindered', failures.wayBack, 3],
  ['pre-copy that cannot be given up', failures.cleanup, 1],
  ['a signal', aSignal, 5],
  ['a callback that throws, a rule that gives up', aCallback, 3],
  ['a participant that throws', participant('throws'), 3],
  ['a participant that does not answer', participant('hangs'), 2],
  ['the hand of another', anothersHand, 3],
  ['a physical function that takes its function away', takenAway, 1],
  ...(knowsOfReinit ? [['a source that begins anew', anew, 1] as const] : []),
]

/** The cases of a kind, the same ones every time; without end. */
export function* casesOf(kind: Kind, seed: number): Generator<Sampled> {
  const deal = dealer(seed)
  for (;;) {
    const given = kind(deal)
    if (!waits(given)) yield given
  }
}

/** Pre-copy that is silently given up: the image that was promised is waited for ten seconds. Others have that. */
function waits({ scene, faults = [] }: Sampled): boolean {
  return scene.precopy !== false && faults.some(({ fault }) => fault.on === 'SAVE' && fault.status === 9)
}
