// SPDX-License-Identifier: Apache-2.0
import { flavourNames, type Fault, type FaultPoint } from 'vfio-migrate/mock'
import type { Case, Scene, SideName, Struck } from './case.js'
import { isTold, timesReached } from './reached.js'
import type { Observed } from './stage.js'
import { assertNone, attempt, hits } from './suite.js'
import { failuresAt, pointsOf, type Extent, type Place } from './ways.js'

const mlx5: Scene = { flavour: 'mlx5', members: 1, origin: 'opened' }

const scenes: Readonly<Record<string, Scene>> = {
  mlx5,
  'mlx5, lent': { ...mlx5, origin: 'lent' },
  'mlx5, left where it is stuck': { ...mlx5, onStuck: 'leave' },
  'mlx5 without pre-copy': { ...mlx5, precopy: false },
}

/** What ends a migration, sooner or later. */
const first: Readonly<Record<SideName, readonly Fault[]>> = {
  source: [
    { on: 'ALLOC_OPEN', errno: 'ENOMEM' },
    { on: 'INSTALL_FD', errno: 'EMFILE' },
    { on: 'QUERY', nth: 4, errno: 'EIO' },
    { on: 'SAVE', nth: 1, status: 1 },
    { on: 'SAVE', nth: 2, errno: 'ETIMEDOUT' },
    { on: 'SAVE', nth: 3, status: 1 },
    { on: 'READ', nth: 1, errno: 'EFAULT' },
    { on: 'READ', nth: 3, errno: 'EFAULT' },
    { on: 'SUSPEND_INITIATOR', errno: 'EIO' },
    { on: 'SUSPEND_RESPONDER', errno: 'ETIMEDOUT' },
  ],
  destination: [
    { on: 'SUSPEND_INITIATOR', errno: 'EIO' },
    { on: 'SUSPEND_RESPONDER', errno: 'EIO' },
    { on: 'ALLOC_OPEN', errno: 'ENOMEM' },
    { on: 'INSTALL_FD', errno: 'EMFILE' },
    { on: 'WRITE', nth: 1, errno: 'EFAULT' },
    { on: 'LOAD', nth: 1, errno: 'EIO' },
    { on: 'LOAD', nth: 3, status: 1 },
    { on: 'RESUME_RESPONDER', errno: 'ETIMEDOUT' },
  ],
}

/** What then fails while it is taken back. */
const afterwards: Readonly<Record<SideName, readonly Fault[]>> = {
  source: [
    { on: 'RESUME_RESPONDER', errno: 'ETIMEDOUT' },
    { on: 'RESUME_INITIATOR', status: 4 },
    { on: 'SAVE_CLEANUP', errno: 'EIO' },
    { on: 'RESET', errno: 'EAGAIN' },
  ],
  destination: [
    { on: 'RESUME_RESPONDER', nth: 1, errno: 'EIO' },
    { on: 'RESUME_INITIATOR', nth: 1, errno: 'EIO' },
    { on: 'RESET', errno: 'EINVAL' },
  ],
}

/** At which every flavour has begun. */
const firstEvent = 2

/** What leads a device back, where it is a point of its flavour: arcs, the commands in them, the reset. */
const wayBack: ReadonlySet<FaultPoint> = new Set([
  'PRE_COPY->RUNNING',
  'PRE_COPY_P2P->RUNNING_P2P',
  'STOP_COPY->STOP',
  'STOP->RUNNING_P2P',
  'STOP->RUNNING',
  'RUNNING_P2P->RUNNING',
  'SAVE_CLEANUP',
  'RESUME_RESPONDER',
  'RESUME_INITIATOR',
  'RESET',
])

const sides = ['source', 'destination'] as const

function struck(list: Readonly<Record<SideName, readonly Fault[]>>, member: number): Struck[] {
  return sides.flatMap(side => list[side].map(fault => ({ side, member, fault })))
}

/** What hinders the way back of one scene: everything once, and then one failure at each event. */
class Hindrance {
  readonly #scene: Scene
  readonly #extent: Extent
  readonly #failed: string[]
  readonly #met = new Set<string>()

  constructor(scene: Scene, extent: Extent, failed: string[]) {
    this.#scene = scene
    this.#extent = extent
    this.#failed = failed
  }

  /** At each point that a device comes to when a signal fires at this event. False where there is no such event. */
  async at(event: number): Promise<boolean> {
    const given: Case = { scene: this.#scene, at: { event, deed: { kind: 'signal' } } }
    const alone = await attempt(given, this.#failed)
    // A signal that is not heard changes nothing for what fails behind it.
    const extent = alone.report?.outcome === 'destination' ? 'classes' : this.#extent
    for (const side of sides) {
      for (const on of pointsOf(this.#scene).filter(on => wayBack.has(on)))
        if (!isTold(on) || timesReached(alone, `${side}-0`, on) > 0)
          await this.#hinder(given, { scene: this.#scene, side, member: 0, on, extent })
    }
    return alone.wasHit
  }

  async #hinder(given: Case, place: Place): Promise<void> {
    const { side, on } = place
    for (const { fault } of failuresAt(place)) {
      const faults = [{ side, member: 0, fault: { on, ...fault } }]
      const wasHit = await hits({ ...given, faults }, this.#failed)
      if (!wasHit || this.#met.has(`${side} ${on}`)) return
    }
    this.#met.add(`${side} ${on}`)
  }
}

/** Until the other one strikes it is a migration with one: where nobody comes to the other there is no such case. */
function mayStrike({ side, member, fault: { on, nth = 1 } }: Struck, alone: Observed): boolean {
  return !alone.wasHit || !isTold(on) || timesReached(alone, `${side}-${member}`, on) >= nth
}

async function runPairs(scene: Scene, one: readonly Struck[], other: readonly Struck[]): Promise<void> {
  const failed: string[] = []
  for (const a of one) {
    const alone = await attempt({ scene, faults: [a] }, failed)
    for (const b of other.filter(b => mayStrike(b, alone))) await hits({ scene, faults: [a, b] }, failed)
  }
  assertNone(failed)
}

describe('two faults in one migration', function () {
  this.timeout(120_000)
  for (const [name, scene] of Object.entries(scenes)) {
    it(`of ${name}: one ends it, the other hinders the way back`, async () => {
      await runPairs(scene, struck(first, 0), struck(afterwards, 0))
    })
  }

  it('of mlx5: one at each side', async () => {
    const [source, destination] = sides.map(side => struck(first, 0).filter(one => one.side === side))
    await runPairs(mlx5, source ?? [], destination ?? [])
  })

  it('of a set of mlx5: one in each member', async () => {
    await runPairs({ ...mlx5, members: 2 }, struck(first, 0), struck(afterwards, 1))
    await runPairs({ ...mlx5, members: 2, origin: 'lent' }, struck(first, 1), struck(afterwards, 0))
  })

  for (const flavour of flavourNames) {
    for (const begins of [undefined, 'RUNNING_P2P'] as const) {
      if (begins && flavour === 'hisi_acc') continue
      it(`of ${flavour}, found in ${begins ?? 'RUNNING'}: a signal at each event, and the way back fails`, async () => {
        const failed: string[] = []
        const extent = flavour === 'mlx5' && begins === undefined ? 'everything' : 'errnos'
        const hindrance = new Hindrance({ ...mlx5, flavour, ...(begins && { begins }) }, extent, failed)
        for (let event = firstEvent; await hindrance.at(event); event++);
        assertNone(failed)
      })
    }
  }
})
