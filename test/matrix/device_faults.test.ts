// SPDX-License-Identifier: Apache-2.0
import { flavourNames, resolveOptions, type FlavourName } from 'vfio-migrate/mock'
import { reproduction, type Case, type Scene } from './case.js'
import { isTold, timesReached } from './reached.js'
import type { Observed } from './stage.js'
import { assertNone, attempt, hits } from './suite.js'
import { pointsOf, waysAt, type Extent, type Place, type Way } from './ways.js'

/** No migration comes to a point more often than that: a series of nth ends before, with one that nobody comes to. */
const mostOften = 40

function caseOf({ scene, side, member, on }: Place, { fault, whileHeld }: Way, nth: number): Case {
  return { scene, faults: [{ side, member, fault: { on, nth, ...fault } }], ...(whileHeld && { whileHeld }) }
}

/** Until it strikes a migration is what it would have been: how often one comes to a point is the same for all ways. */
async function timesAt(place: Place, way: Way, calm: Observed, failed: string[]): Promise<number> {
  if (isTold(place.on)) return timesReached(calm, `${place.side}-${place.member}`, place.on)
  let times = 0
  while (times < mostOften && (await hits(caseOf(place, way, times + 1), failed))) times++
  return times
}

async function strikeAt(place: Place, calm: Observed, failed: string[]): Promise<void> {
  const [first, ...others] = waysAt(place)
  if (first === undefined) return
  const times = await timesAt(place, first, calm, failed)
  for (const way of isTold(place.on) ? [first, ...others] : others) {
    for (let nth = 1; nth <= times; nth++) {
      const given = caseOf(place, way, nth)
      if (!(await hits(given, failed))) failed.push(`nobody came to it\n    ${reproduction(given)}`)
    }
  }
}

async function strike(place: Omit<Place, 'on'>): Promise<void> {
  const failed: string[] = []
  const { scene } = place
  const calm = await attempt({ scene }, failed)
  for (const on of pointsOf(scene)) await strikeAt({ ...place, on }, calm, failed)
  assertNone(failed)
}

const mlx5: Scene = { flavour: 'mlx5', members: 1, origin: 'opened' }
const set: Scene = { ...mlx5, members: 2 }

/** Found and led in every way that a device of the flavour has. Whose source is found elsewhere is lent. */
function scenesOf(flavour: FlavourName): Readonly<Record<string, Scene>> {
  const { p2p, preCopy } = resolveOptions({ flavour }).capabilities
  const one: Scene = { ...mlx5, flavour }
  const lent: Scene = { ...one, origin: 'lent' }
  return {
    ...(flavour !== 'mlx5' && { [flavour]: one }),
    [`${flavour}, lent`]: lent,
    [`${flavour}, whose source is found in STOP`]: { ...lent, begins: 'STOP' },
    ...(p2p && { [`${flavour}, whose source is found in RUNNING_P2P`]: { ...lent, begins: 'RUNNING_P2P' } }),
    ...(preCopy && { [`${flavour} without pre-copy`]: { ...one, precopy: false } }),
  }
}

const everything: Readonly<Record<string, Scene>> = {
  mlx5,
  'mlx5 with a DMA log': { ...mlx5, logged: true },
}

const errnos: Readonly<Record<string, Scene>> = {
  ...(Object.assign({}, ...flavourNames.map(scenesOf)) as Record<string, Scene>),
  'mlx5, by chunks': { ...mlx5, chunked: true },
  'mlx5, left where it is stuck': { ...mlx5, onStuck: 'leave' },
  'mlx5, lent, and reset where it is stuck': { ...mlx5, origin: 'lent', onStuck: 'reset' },
  'pds with a DMA log': { ...mlx5, flavour: 'pds', logged: true },
  'a set of mlx5': set,
}

/** What a set adds is what becomes of the others, and that is decided by which call has failed. */
const classes: Readonly<Record<string, Scene>> = {
  'a set of mlx5 without pre-copy': { ...set, precopy: false },
  'a set of mlx5, lent': { ...set, origin: 'lent' },
  'a set of mlx5 that do no DMA to each other': { ...set, noP2pDma: true },
  'a set of virtio': { ...set, flavour: 'virtio' },
  'a set of virtio without pre-copy': { ...set, flavour: 'virtio', precopy: false },
  'a set of hisi_acc': { ...set, flavour: 'hisi_acc', noP2pDma: true },
  'a set of qat': { ...set, flavour: 'qat' },
  'a set of pds': { ...set, flavour: 'pds' },
  'a set of xe': { ...set, flavour: 'xe' },
  'a set of mtty': { ...set, flavour: 'mtty' },
}

function strikeAll(extent: Extent, scenes: Readonly<Record<string, Scene>>): void {
  for (const [name, scene] of Object.entries(scenes)) {
    for (const side of ['source', 'destination'] as const) {
      it(`of ${name}, at the ${side}`, async () => {
        for (let member = 0; member < scene.members; member++) await strike({ scene, side, member, extent })
      })
    }
  }
}

describe('every fault of a device, each time that a migration comes to it', function () {
  this.timeout(120_000)
  strikeAll('everything', everything)
  strikeAll('errnos', errnos)
  strikeAll('classes', classes)
})
