// SPDX-License-Identifier: Apache-2.0
// Kinds of cases in which no device fails by itself: what callers, participants and other holders do.
import { moments } from '#lib/migration/participant.js'
import { phases } from '#lib/migration/phases.js'
import type { Scene } from '../../matrix/case.ts'
import type { SampledDeed } from './case.ts'
import { clearing, inPrecopy, scenes, struck, type Kind } from './scenes.ts'

/** Behind these the last image is under way at once. */
const stopping = [
  'phase stop-copy',
  'arcs source PRE_COPY_P2P->STOP_COPY',
  'arcs source STOP->STOP_COPY',
  'phase load',
]

/** What a migration tells of once it cannot be taken back. */
const late = [
  'phase run',
  'arcs destination RUNNING_P2P->RUNNING',
  'phase release',
  'arcs source STOP_COPY->STOP',
  'moment running',
  'moment released',
]

/** And before; not all of it in every migration. */
const early = [
  ...stopping,
  ...phases.map(phase => `phase ${phase}`).filter(event => ![...stopping, ...late].includes(event)),
  'round 1',
  'round 2',
  'arcs destination RUNNING_P2P->STOP',
  'arcs destination STOP->RESUMING',
  'arcs destination RESUMING->STOP',
  'arcs source RUNNING->PRE_COPY',
  'moment quiesce',
  'moment stopped',
  'moment restored',
]

const scenesFor = (event: string): readonly Scene[] => (stopping.includes(event) ? clearing : scenes)
const mostlyEarly = [early, early, early, late]

export const aSignal: Kind = deal => {
  const on = deal(deal(mostlyEarly))
  return { scene: deal(scenesFor(on)), at: { on, deed: { kind: 'signal' } } }
}

const rules = ['rule 0', 'rule 1', 'rule 2']
const ofAll = [early, late, rules]

export const aCallback: Kind = deal => {
  const on = deal(deal(ofAll))
  const deed: SampledDeed = { kind: rules.includes(on) ? 'gives up' : 'onProgress throws' }
  return { scene: deal(scenesFor(on)), at: { on, deed } }
}

/** `resumed` is owed to a participant where something has failed before. */
const beforeResumed = [struck('destination', { on: 'RESUME_RESPONDER', errno: 'EIO' })]

export const participant =
  (how: 'throws' | 'hangs'): Kind =>
  deal => {
    const moment = deal(moments)
    const faults = moment === 'resumed' && { faults: beforeResumed }
    return { scene: deal(scenes), participant: { moment, how }, ...faults }
  }

/** When no call of the engine's is under way, and the next one finds what was done. */
const quiet = [
  ['source', 'in quiesce'],
  ['source', 'in restored'],
  ['destination', 'in quiesce'],
  ['destination', 'in restored'],
  ['destination', 'in running'],
] as const
const hands = ['reset', 'moved'] as const

export const anothersHand: Kind = deal => {
  const [side, on] = deal(quiet)
  return { scene: deal(scenes), at: { on, deed: { kind: deal(hands), side, member: 0 } } }
}

export const takenAway: Kind = deal => {
  const [side, on] = deal(quiet)
  return { scene: deal(scenes), at: { on, deed: { kind: 'taken away', side } } }
}

const behindAnImage = ['rule 1', 'in quiesce'] as const

/** Who opened the device hears of it. */
export const anew: Kind = deal => ({
  scene: { ...deal(inPrecopy), origin: 'opened' },
  at: { on: deal(behindAnImage), deed: { kind: 'begins anew' } },
})
