// SPDX-License-Identifier: Apache-2.0
import { faultPoints, resolveOptions, type Fault, type FaultPoint } from 'vfio-migrate/mock'
import { crashesByOthers, type Case, type Deed, type Scene, type SideName } from './case.js'
import { assertNone, hits } from './suite.js'

/** No migration comes to a point more often than that: a series of nth ends before, with one that nobody comes to. */
const mostOften = 40

const mlx5: Scene = { flavour: 'mlx5', members: 1, origin: 'opened' }

/** Whose streams carry sums: of another a changed byte is a byte of another state, as its driver has it. */
const hasSums: ReadonlySet<string> = new Set(['mlx5', 'virtio', 'pds'])

/** What is done at a point, and while it is held. */
interface Way {
  readonly fault: Omit<Fault, 'on' | 'nth'>
  readonly whileHeld?: Deed
}

function waysAt(scene: Scene, point: FaultPoint, side: SideName, member: number, all: boolean): Way[] {
  const { flavour } = scene
  const rule = rulesOf(scene)[point]
  if (rule === undefined) return []
  const isFatal = crashesByOthers(flavour, side)
  const errnos = all ? (rule.errno ?? []) : (rule.errno ?? []).slice(0, 1)
  const statuses = rule.status ? (all ? [1, 4, 6, 9, 15] : [9]) : []
  const deeds: Deed[] = [
    { kind: 'signal' },
    ...(point === 'RESET' || isFatal ? [] : [{ kind: 'reset', side, member } as const]),
  ]
  return [
    ...errnos.map(errno => ({ fault: { errno } })),
    ...statuses.map(status => ({ fault: { status } })),
    ...(rule.hold ? deeds.map(whileHeld => ({ fault: { hold: true }, whileHeld })) : []),
    ...(rule.reset && !isFatal ? [{ fault: { reset: true } }] : []),
    ...(rule.bytes ? [0, 20, 30].map(cut => ({ fault: { cut } })) : []),
    ...(rule.bytes && hasSums.has(flavour) ? [0, 100, 5000].map(flip => ({ fault: { flip } })) : []),
    ...(rule.event ? [{ fault: {} }] : []),
  ]
}

function rulesOf({ flavour }: Scene): ReturnType<typeof faultPoints> {
  return faultPoints({ flavour, capabilities: resolveOptions({ flavour }).capabilities })
}

async function strike(scene: Scene, side: SideName, member: number, all: boolean): Promise<void> {
  const failed: string[] = []
  for (const on of Object.keys(rulesOf(scene)) as FaultPoint[]) {
    // Until it strikes a migration is what it would have been: one miss tells of them all.
    let last = mostOften
    for (const { fault, whileHeld } of waysAt(scene, on, side, member, all)) {
      for (let nth = 1; nth <= last; nth++) {
        const given: Case = {
          scene,
          faults: [{ side, member, fault: { on, nth, ...fault } }],
          ...(whileHeld && { whileHeld }),
        }
        if (!(await hits(given, failed))) last = nth - 1
      }
    }
  }
  assertNone(failed)
}

describe('every fault of a device, each time that a migration comes to it', function () {
  this.timeout(120_000)
  for (const side of ['source', 'destination'] as const) {
    describe(`at the ${side}`, () => {
      it('of mlx5', async () => await strike(mlx5, side, 0, true))
      it('of mlx5, lent', async () => await strike({ ...mlx5, origin: 'lent' }, side, 0, false))
      it('of mlx5 without pre-copy', async () => await strike({ ...mlx5, precopy: false }, side, 0, false))
      it('of mlx5, by chunks', async () => await strike({ ...mlx5, chunked: true }, side, 0, false))
      it('of mlx5 with a DMA log', async () => await strike({ ...mlx5, logged: true }, side, 0, false))
      for (const member of [0, 1])
        it(`of member ${member} of a set of mlx5`, async () =>
          await strike({ ...mlx5, members: 2 }, side, member, false))
      it('of pds with a DMA log', async () =>
        await strike({ ...mlx5, flavour: 'pds', logged: true }, side, 0, false))
      for (const flavour of ['mlx5', 'virtio', 'qat', 'pds', 'xe', 'mtty'] as const) {
        for (const begins of ['STOP', 'RUNNING_P2P'] as const)
          it(`of ${flavour}, whose source is found in ${begins}`, async () =>
            await strike({ ...mlx5, flavour, begins, origin: 'lent' }, side, 0, false))
      }
      it('of hisi_acc, whose source is found in STOP', async () =>
        await strike({ ...mlx5, flavour: 'hisi_acc', begins: 'STOP', origin: 'lent' }, side, 0, false))
      for (const flavour of ['virtio', 'hisi_acc', 'qat', 'pds', 'xe', 'mtty'] as const)
        it(`of ${flavour}`, async () => await strike({ ...mlx5, flavour }, side, 0, false))
    })
  }
})
