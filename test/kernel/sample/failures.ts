// SPDX-License-Identifier: Apache-2.0
// Kinds of cases in which a device fails, or what is between it and the engine.
import type { Fault, FaultPoint } from '#lib/mock/index.js'
import type { Scene, SideName, Struck } from '../../matrix/case.ts'
import type { Sampled } from './case.ts'
import type { Deal } from './deck.ts'
import { allScenes, clearing, inPrecopy, scenes, sides, struck, type Kind } from './scenes.ts'

/** The commands of a migration, and the times that it gives them at most. */
const commands: readonly (readonly [SideName, FaultPoint, readonly number[]])[] = [
  ['source', 'SUSPEND_INITIATOR', [1]],
  ['source', 'SUSPEND_RESPONDER', [1]],
  ['source', 'QUERY', [1, 2, 3, 4, 5]],
  ['source', 'SAVE', [1, 2, 3]],
  ['destination', 'SUSPEND_INITIATOR', [1]],
  ['destination', 'SUSPEND_RESPONDER', [1]],
  ['destination', 'QUERY', [1]],
  ['destination', 'LOAD', [1, 2, 3]],
  ['destination', 'RESUME_RESPONDER', [1]],
  ['destination', 'RESUME_INITIATOR', [1]],
]

interface Point {
  readonly side: SideName
  readonly on: FaultPoint
  readonly nth: number
}

/** A command, and a scene out of these in which it is given so often. */
function aPoint(deal: Deal, among: Readonly<Record<SideName, readonly Scene[]>>): Point & { scene: Scene } {
  const [side, on, times] = deal(commands)
  const nth = deal(times)
  const fitting = among[side].filter(({ precopy, begins }) => {
    if (nth > 1) return precopy !== false && begins === undefined
    return begins !== 'STOP' || side === 'destination' || !on.startsWith('SUSPEND')
  })
  return { side, on, nth, scene: deal(fitting) }
}

const anywhere = { source: allScenes, destination: allScenes }

const outcomes: readonly Omit<Fault, 'on'>[] = [
  ...[1, 4, 6, 8, 9, 15].map(status => ({ status })),
  ...(['ETIMEDOUT', 'ENOLINK', 'ENOTCONN', 'EBUSY'] as const).map(errno => ({ errno })),
]

export const aCommand: Kind = deal => {
  const { side, on, nth, scene } = aPoint(deal, anywhere)
  return { scene, faults: [struck(side, { on, nth, ...deal(outcomes) })] }
}

const memories: readonly Struck[] = [
  ...sides.map(side => struck(side, { on: 'ALLOC_OPEN', errno: 'ENOMEM' })),
  struck('destination', { on: 'ALLOC_RECORD', errno: 'ENOMEM' }),
]

export const memory: Kind = deal => ({ scene: deal(allScenes), faults: [deal(memories)] })

/** An arc that is held is made all the same, and what can be read behind it is on its way before the signal is heard. */
export const heldAndSignal: Kind = deal => {
  const { side, on, nth, scene } = aPoint(deal, { source: clearing, destination: allScenes })
  return { scene, faults: [struck(side, { on, nth, hold: true })], whileHeld: { kind: 'signal' } }
}

export const heldAndReset: Kind = deal => {
  const { side, on, nth, scene } = aPoint(deal, anywhere)
  const faults = [struck(side, { on, nth, hold: true })]
  return { scene, faults, whileHeld: { kind: 'reset', side, member: 0 } }
}

/** What is under way while the participant is asked: the last image is saved, and loaded. */
const ofTheLastImage = [
  ['source', 'SAVE'],
  ['destination', 'LOAD'],
] as const

export const heldAndParticipant: Kind = deal => {
  const [side, on] = deal(ofTheLastImage)
  const scene = deal(scenes)
  const nth = scene.precopy === false ? 1 : 3
  return {
    scene,
    faults: [struck(side, { on, nth, hold: true })],
    participant: { moment: 'stopped', how: 'throws' },
    failsWhileHeld: true,
  }
}

/**
 * In the first record, in the first image's header and its pages, and behind that image. Of flips in the headers of records
 * those that leave only one way to find out; and none that makes a record announce more memory than there is: where that
 * ends, mlx5vf_add_pages() of Linux 7.2 frees what it finds on its stack.
 */
const spoilt: readonly Omit<Fault, 'on'>[] = [
  ...[0, 8, 20, 24, 30, 100, 5000, 65_656, 65_700].map(cut => ({ cut })),
  ...[8, 12, 16, 32, 40, 100, 5000, 65_700].map(flip => ({ flip })),
]
const behindFirstImage = 65_656

/** What comes behind the first image comes in pre-copy. */
export const stream: Kind = deal => {
  const effect = deal(spoilt)
  const place = effect.cut ?? effect.flip ?? 0
  const scene = deal(place < behindFirstImage ? allScenes : inPrecopy)
  return { scene, faults: [struck('source', { on: 'STREAM', ...effect })] }
}

/** Calls on a data_fd, and what a process lacks for one. */
const calls: readonly Struck[] = [
  ...[1, 2, 3].map(nth => struck('source', { on: 'READ', nth, errno: 'EFAULT' })),
  ...[1, 2, 3].map(nth => struck('destination', { on: 'WRITE', nth, errno: 'EFAULT' })),
  ...[1, 2].map(nth => struck('source', { on: 'PRECOPY_INFO', nth, errno: 'EFAULT' })),
  ...[1, 2].map(nth => struck('source', { on: 'PREPARE_SESSION', nth, errno: 'EMFILE' })),
  struck('destination', { on: 'PREPARE_SESSION', errno: 'ENFILE' }),
  ...sides.map(side => struck(side, { on: 'INSTALL_FD', errno: 'EMFILE' })),
]

/** Without pre-copy the second read is by chance: of the first record, or of the image with it. */
export const aCall: Kind = deal => {
  const one = deal(calls)
  const isFirst = (one.fault.nth ?? 1) === 1
  return { scene: deal(isFirst ? allScenes : inPrecopy), faults: [one] }
}

const trackers: readonly (readonly [FaultPoint, number])[] = [
  ['LOG_START', 1],
  ['TRACKER', 1],
  ['LOG_REPORT', 1],
  ['LOG_REPORT', 2],
  ['LOG_REPORT', 3],
]
const heldOrNot = [true, false]

export const dmaLog: Kind = deal => {
  const [on, nth] = deal(trackers)
  // A report is asked while bytes flow.
  const scene = { ...deal(on === 'LOG_START' ? allScenes : clearing), logged: true } as const
  if (on === 'TRACKER') return { scene, faults: [struck('source', { on, nth })] }
  if (!deal(heldOrNot)) return { scene, faults: [struck('source', { on, nth, ...deal(outcomes) })] }
  return { scene, faults: [struck('source', { on, nth, hold: true })], whileHeld: { kind: 'signal' } }
}

const ends: readonly Omit<Sampled, 'scene'>[] = [
  { participant: { moment: 'restored', how: 'throws' } },
  { at: { on: 'in restored', deed: { kind: 'signal' } } },
  { faults: [struck('destination', { on: 'RESUME_RESPONDER', status: 4 })] },
  { faults: [struck('destination', { on: 'LOAD', nth: 1, errno: 'EIO' })] },
]

const hindrances: readonly (readonly [SideName, FaultPoint])[] = [
  ['source', 'RESUME_RESPONDER'],
  ['source', 'RESUME_INITIATOR'],
  ['destination', 'RESET'],
]

/** Behind what ends it, when both have moved. */
export const wayBack: Kind = deal => {
  const first = deal(ends)
  const [side, on] = deal(hindrances)
  const second: Fault = on === 'RESET' ? { on, errno: 'ENOTTY' } : { on, ...deal(outcomes) }
  return { ...first, scene: deal(scenes), faults: [...(first.faults ?? []), struck(side, second)] }
}

const rounds = [1, 2]

/** Pre-copy is given up by a SAVE of its own, behind those of the rounds. */
export const cleanup: Kind = deal => {
  const round = deal(rounds)
  return {
    scene: deal(inPrecopy),
    at: { on: `round ${round}`, deed: { kind: 'signal' } },
    faults: [struck('source', { on: 'SAVE', nth: round + 1, ...deal(outcomes) })],
  }
}
