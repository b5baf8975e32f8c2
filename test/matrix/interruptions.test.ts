// SPDX-License-Identifier: Apache-2.0
import { moments } from '#lib/migration/participant.js'
import { crashesByOthers, type Case, type Deed, type Scene } from './case.js'
import { assertNone, hits } from './suite.js'

const mlx5: Scene = { flavour: 'mlx5', members: 1, origin: 'opened' }

const scenes: Readonly<Record<string, Scene>> = {
  mlx5,
  'mlx5, lent': { ...mlx5, origin: 'lent' },
  'mlx5, lent, and reset where it is stuck': { ...mlx5, origin: 'lent', onStuck: 'reset' },
  'mlx5, left where it is stuck': { ...mlx5, onStuck: 'leave' },
  'mlx5 without pre-copy': { ...mlx5, precopy: false },
  'a set of mlx5': { ...mlx5, members: 2 },
  virtio: { ...mlx5, flavour: 'virtio' },
  hisi_acc: { ...mlx5, flavour: 'hisi_acc' },
  qat: { ...mlx5, flavour: 'qat' },
  pds: { ...mlx5, flavour: 'pds' },
  xe: { ...mlx5, flavour: 'xe' },
  mtty: { ...mlx5, flavour: 'mtty' },
}

function deedsIn({ flavour, members }: Scene): Deed[] {
  const sides = (['source', 'destination'] as const).filter(side => !crashesByOthers(flavour, side))
  const hands = sides.flatMap(side =>
    (['reset', 'moved'] as const).map(kind => ({ kind, side, member: members - 1 })),
  )
  return [{ kind: 'signal' }, { kind: 'onProgress throws' }, ...hands]
}

/** Where the device of the other hand has not been looked at yet, there is nothing that it was moved from. */
function isBeforeAll({ kind }: Deed, event: number): boolean {
  return kind === 'moved' && event === 0
}

describe('a migration that is interrupted at each of its events', function () {
  this.timeout(120_000)
  for (const [name, scene] of Object.entries(scenes)) {
    it(`of ${name}`, async () => {
      const failed: string[] = []
      for (const deed of deedsIn(scene)) {
        for (let event = 0; ; event++) {
          if (isBeforeAll(deed, event)) continue
          const given: Case = { scene, at: { event, deed } }
          if (!(await hits(given, failed))) break
        }
      }
      assertNone(failed)
    })
  }
})

describe('a participant that fails at each of its moments', () => {
  for (const [name, scene] of Object.entries(scenes)) {
    it(`of ${name}`, async () => {
      const failed: string[] = []
      for (const moment of moments) {
        for (const how of ['throws', 'hangs'] as const) {
          await hits({ scene, participant: { moment, how } }, failed)
          if (moment !== 'resumed') continue
          const on = scene.flavour === 'mlx5' ? 'RESUME_RESPONDER' : 'RESUMING->STOP'
          const fault = { side: 'destination', member: 0, fault: { on, errno: 'EIO' } } as const
          await hits({ scene, participant: { moment, how }, faults: [fault] }, failed)
        }
      }
      assertNone(failed)
    })
  }
})

/** 48 KiB take 47 ms to be saved, and 47 to be loaded; the limit is 40 ms, and 60 are too long. */
const tight: Scene = { ...mlx5, tight: true }

describe('a device that begins anew between its last image and the switch', () => {
  const those: Readonly<Record<string, Scene>> = {
    mlx5: tight,
    'mlx5, lent': { ...tight, origin: 'lent' },
    'a set of mlx5': { ...tight, members: 2 },
    'mlx5 with a DMA log': { ...tight, logged: true },
  }
  for (const [name, scene] of Object.entries(those)) {
    it(`of ${name}`, async () => {
      const failed: string[] = []
      await hits({ scene, participant: { moment: 'quiesce', how: 'begins anew' } }, failed)
      assertNone(failed)
    })
  }
})
