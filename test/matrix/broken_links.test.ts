// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Scene } from './case.js'
import { failuresOf } from './failures.js'
import { linesWith, type Line } from './page.js'
import { speak, type Spoken, type Trial } from './roles.js'
import { assertNone, begin, count, tally } from './suite.js'
import type { Expected } from './expectation.js'
import { hold } from './verdict.js'

const mlx5: Scene = { flavour: 'mlx5', members: 1, origin: 'opened' }

const scenes: Readonly<Record<string, Scene>> = {
  mlx5,
  'mlx5, lent': { ...mlx5, origin: 'lent' },
  'mlx5 without pre-copy': { ...mlx5, precopy: false },
  'a set of mlx5': { ...mlx5, members: 2 },
  hisi_acc: { ...mlx5, flavour: 'hisi_acc' },
  mtty: { ...mlx5, flavour: 'mtty' },
}

const linkRows = linesWith('id', 'the link breaks')
const journalRows = linesWith('id', 'side', 'fact', 'then')

function row(rows: readonly Line[], which: (line: Line) => boolean): Line {
  const found = rows.find(which)
  assert.ok(found, 'docs/recovery.md has no such row')
  return found
}

function expected(line: Line, { actors }: Spoken): Expected {
  const { id = '', outcome = '' } = line
  const ends = new Map(actors.map(({ mock, side }) => [mock.name, line[side] ?? '']))
  return { id, outcome, cause: 'any', ways: [], ends }
}

/** How far it had come, by what was said and what has come. */
function whenBroken({ sent, came }: Spoken, members: number): string {
  if (came.includes('running')) return 'after running has come'
  if (!sent.includes('yielded')) return 'before yielded is sent'
  const ends = came.filter(kind => kind === 'end').length
  return ends === members ? 'when all end have come' : 'before all end have come'
}

/** Runs one, and says what was wrong; false where it did not come to that. */
async function holds(trial: Trial, lineOf: (spoken: Spoken) => Line, failed: string[]): Promise<boolean> {
  begin()
  const spoken = await speak(trial)
  if (!spoken.wasHit) {
    tally.missed++
    return false
  }
  tally.cases++
  try {
    const one = expected(lineOf(spoken), spoken)
    await hold({ scene: trial.scene }, spoken, one)
    count([one.id])
    assertFacts(spoken)
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n').slice(0, 14).join(' ') : String(error)
    failed.push(`${why}\n    ${JSON.stringify(trial)} ${spoken.sent.join()}`)
  }
  return true
}

/** What is written down is what happened: who runs has said so before, and nobody has said both. */
function assertFacts({ facts, report }: Spoken): void {
  const { destination } = facts
  assert.ok(!(destination.includes('ran') && destination.includes('abdicated')), destination.join())
  if (report?.outcome === 'destination') assert.ok(destination.includes('run-intent'), destination.join())
}

describe('a link that breaks', () => {
  for (const [name, scene] of Object.entries(scenes)) {
    for (const comes of [false, true]) {
      it(`at each message, which ${comes ? 'still comes' : 'is lost'}: ${name}`, async () => {
        const failed: string[] = []
        const lineOf = (spoken: Spoken): Line =>
          row(linkRows, line => line['the link breaks'] === whenBroken(spoken, scene.members))
        for (let at = 0; await holds({ scene, link: { at, comes } }, lineOf, failed); at++);
        assertNone(failed)
      })
    }
  }
})

describe('a link that changes a byte', () => {
  const rows = linesWith('id', 'side', 'when', 'fails')
  /** Where no device minds, it is seen by count and sum. */
  const lineOf = ({ actors }: Spoken): Line => {
    const [first] = failuresOf(actors)
    const ids: Readonly<Record<string, string>> = { write: 'load-write', 'RESUMING -> STOP': 'load-arc' }
    return row(rows, line => line.id === (ids[first?.fails ?? ''] ?? 'load-incomplete'))
  }
  for (const [name, scene] of Object.entries({ ...scenes, qat: { ...mlx5, flavour: 'qat' } as const })) {
    it(`of each piece of data: ${name}`, async () => {
      const failed: string[] = []
      for (let spoils = 0; await holds({ scene, spoils }, lineOf, failed); spoils++);
      assertNone(failed)
    })
  }
})

describe('a journal that refuses a fact', () => {
  const facts = {
    source: ['yielded', 'reclaimed', 'released'],
    destination: ['accepted', 'run-intent', 'ran', 'abdicated'],
  } as const
  for (const [name, scene] of Object.entries(scenes)) {
    it(`once or for good, written or not: ${name}`, async () => {
      const failed: string[] = []
      for (const side of ['source', 'destination'] as const) {
        for (const fact of facts[side]) {
          for (const lasts of [false, true]) {
            for (const isThere of [false, true]) {
              const then = lasts ? 'for good' : 'once'
              const on = scene.flavour === 'mtty' ? 'RESUME_INITIATOR' : 'RESUME_RESPONDER'
              const fault = { side: 'destination', member: 0, fault: { on, errno: 'EIO' } } as const
              const needsFailure = fact === 'reclaimed' || fact === 'abdicated'
              const trial = {
                scene,
                journal: { side, fact, lasts, isThere },
                ...(needsFailure && { faults: [fault] }),
              }
              const isOf = (line: Line): boolean =>
                line.side === side && line.fact === fact && (line.then === then || line.then === 'either')
              await holds(trial, () => row(journalRows, isOf), failed)
            }
          }
        }
      }
      assertNone(failed)
    })
  }
})
