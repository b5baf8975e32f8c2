// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { destinationTable } from '#lib/ownership/destination.js'
import { sourceTable } from '#lib/ownership/source.js'
import { explore, type Counterexample, type Explored } from './explorer.js'
import { isLost, migration, written, type Origins } from './migration.js'
import { mutated, mutations, type Mutation } from './mutations.js'
import { rules } from './rules.js'
import { has, type World } from './world.js'

const lentToLent: Origins = { source: 'lent', destination: 'lent' }
const lentToPath: Origins = { source: 'lent', destination: 'path' }
const origins: readonly Origins[] = [
  lentToLent,
  lentToPath,
  { source: 'path', destination: 'lent' },
  { source: 'path', destination: 'path' },
]

const known = new Map<Origins, Explored<World>>()

/** All worlds that can be, once they are found to be right. */
function explored(where: Origins): Explored<World> {
  const found = known.get(where) ?? explore(migration(where))
  known.set(where, found)
  assert.ok(found.counterexample === undefined, found.counterexample && written(found.counterexample))
  return found
}

const told: string[] = []

describe('ownership, in every world that can be', () => {
  after(() => console.log(told.map(line => `      ${line}`).join('\n')))

  for (const where of origins) {
    const { source, destination } = where
    it(`has one owner, loses nothing needlessly and settles: source by ${source}, destination by ${destination}`, () => {
      const { worlds, steps, settled } = explored(where)
      told.push(
        `${source} to ${destination}: ${worlds.length} states, ${steps} steps, ${settled.length} settled`,
      )
      assert.ok(settled.some(world => world.destinationDevice === 'out'))
      assert.ok(settled.some(world => world.sourceDevice === 'runs' && has(world, 'abdicated')))
    })
  }

  it('never loses a state whose devices are both lent', () => {
    assert.deepEqual(explored(lentToLent).settled.filter(isLost), [])
  })

  it('loses the state of a lent source only with a destination that had committed', () => {
    const lost = explored(lentToPath).settled.filter(isLost)
    assert.ok(lost.length > 0)
    assert.ok(lost.every(world => has(world, 'run-intent') && world.destinationDied))
  })

  it('comes to every state of both tables', () => {
    const worlds = origins.flatMap(where => explored(where).worlds)
    const sources = worlds.flatMap(({ sourceUp, source }) => (sourceUp ? source : []))
    const destinations = worlds.flatMap(({ destinationUp, destination }) =>
      destinationUp ? destination : [],
    )
    assert.deepEqual(new Set(sources).size, Object.keys(sourceTable).length)
    assert.deepEqual(new Set(destinations).size, Object.keys(destinationTable).length)
  })
})

/** A way that leads to what a mutation does wrong; none is shorter with devices of these origins. */
function wayTo(mutation: Mutation): Counterexample<World> | undefined {
  const looksFor = mutation.finds === 'dead end' ? [] : [mutation.finds]
  for (const where of origins) {
    const { counterexample } = explore(migration(where, mutated(mutation), looksFor))
    if (counterexample) return counterexample
  }
  return undefined
}

const ends: Readonly<Record<Mutation['finds'], RegExp>> = {
  double: /two owners|executes again|after a run-intent|both sides/,
  loss: /lost/,
  'dead end': /dead end/,
}

describe('the exploration finds a fault where', () => {
  for (const mutation of mutations) {
    it(mutation.what, () => {
      const found = wayTo(mutation)
      assert.ok(found, `every property holds although ${mutation.what}`)
      assert.match(found.what, ends[mutation.finds], written(found))
    })
  }

  it('any rule is broken', () => {
    const broken = mutations.flatMap(({ rules: change }) => Object.keys(change))
    assert.deepEqual(new Set(broken), new Set(Object.keys(rules)))
  })

  it('two sides answer each other for ever', () => {
    const found = explore<number>({
      initial: 0,
      key: world => world,
      steps: world => [{ label: 'turn', to: world === 2 ? 1 : world + 1, expected: true }],
      wrong: () => undefined,
      isSettled: () => false,
    })
    assert.match(found.counterexample?.what ?? '', /circle/)
  })

  it('and tells the way to it, step by step', () => {
    const found = explore(migration(lentToLent, { ...rules, proofFirst: false }, ['double']))
    const lines = written(found.counterexample ?? assert.fail()).split('\n')
    assert.equal(lines[1], '  0. in the beginning')
    assert.ok(
      lines.includes('  2. source: yield()   (source: yielding, sourceWrites: yield)'),
      lines.join('\n'),
    )
    assert.equal(lines.length, (found.counterexample?.trace.length ?? 0) + 1)
  })
})
