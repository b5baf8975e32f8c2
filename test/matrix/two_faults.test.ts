// SPDX-License-Identifier: Apache-2.0
import { faultPoints, resolveOptions, type Fault, type FaultPoint } from 'vfio-migrate/mock'
import type { Case, Scene, SideName, Struck } from './case.js'
import { assertNone, hits } from './suite.js'

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

/** Those at which every flavour has begun, and none is committed. */
const firstEvent = 2
const mostEvents = 13

/** The arcs that lead a source back, as points; those of mlx5 fail by their commands. */
const wayBack: readonly FaultPoint[] = [
  'PRE_COPY->RUNNING',
  'PRE_COPY_P2P->RUNNING_P2P',
  'STOP_COPY->STOP',
  'STOP->RUNNING_P2P',
  'STOP->RUNNING',
  'RUNNING_P2P->RUNNING',
  'RESET',
]

const sides = ['source', 'destination'] as const

function struck(list: Readonly<Record<SideName, readonly Fault[]>>, member: number): Struck[] {
  return sides.flatMap(side => list[side].map(fault => ({ side, member, fault })))
}

function* pairs(one: readonly Struck[], other: readonly Struck[]): Generator<readonly [Struck, Struck]> {
  for (const a of one) for (const b of other) yield [a, b]
}

async function runAll(scene: Scene, all: Iterable<readonly [Struck, Struck]>): Promise<void> {
  const failed: string[] = []
  for (const faults of all) {
    const given: Case = { scene, faults }
    await hits(given, failed)
  }
  assertNone(failed)
}

describe('two faults in one migration', function () {
  this.timeout(120_000)
  for (const [name, scene] of Object.entries(scenes)) {
    it(`of ${name}: one ends it, the other hinders the way back`, async () => {
      await runAll(scene, pairs(struck(first, 0), struck(afterwards, 0)))
    })
  }

  it('of mlx5: one at each side', async () => {
    const [source, destination] = sides.map(side => struck(first, 0).filter(one => one.side === side))
    await runAll(mlx5, pairs(source ?? [], destination ?? []))
  })

  it('of a set of mlx5: one in each member', async () => {
    await runAll({ ...mlx5, members: 2 }, pairs(struck(first, 0), struck(afterwards, 1)))
    await runAll({ ...mlx5, members: 2, origin: 'lent' }, pairs(struck(first, 1), struck(afterwards, 0)))
  })

  for (const flavour of ['virtio', 'hisi_acc', 'qat', 'pds', 'xe', 'mtty'] as const) {
    for (const begins of [undefined, 'RUNNING_P2P'] as const) {
      if (begins && flavour === 'hisi_acc') continue
      it(`of ${flavour}, found in ${begins ?? 'RUNNING'}: a signal at each event, and the way back fails`, async () => {
        const failed: string[] = []
        const scene: Scene = { ...mlx5, flavour, ...(begins && { begins }) }
        const points = faultPoints({ flavour, capabilities: resolveOptions({ flavour }).capabilities })
        for (const side of sides) {
          for (const on of wayBack.filter(on => on in points)) {
            const fault: Fault = { on, errno: on === 'RESET' ? 'EINVAL' : 'EIO' }
            for (let event = firstEvent; event < mostEvents; event++) {
              const at = { event, deed: { kind: 'signal' } } as const
              await hits({ scene, at, faults: [{ side, member: 0, fault }] }, failed)
            }
          }
        }
        assertNone(failed)
      })
    }
  }
})
