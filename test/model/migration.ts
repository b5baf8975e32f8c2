// SPDX-License-Identifier: Apache-2.0
import { destinationMayRun } from '#lib/ownership/destination.js'
import { sourceMayRun } from '#lib/ownership/source.js'
import { destinationSteps } from './destination_steps.js'
import { difference, has, initial, key, type World } from './world.js'
import type { Counterexample, Model } from './explorer.js'
import { rules as usual, type Rules } from './rules.js'
import { sourceSteps } from './source_steps.js'

/** Whether each side's device is opened by path and blank when its last holder dies, or lent and alive. */
export interface Origins {
  readonly source: 'path' | 'lent'
  readonly destination: 'path' | 'lent'
}

/** What can be wrong: two run, or none does that could. */
export type Wrong = 'double' | 'loss'

/**
 * One migration: two processes that may be killed at any point and come back, their journals, their devices, and a
 * network on which everything that was ever sent may come at any time, in any order, any number of times, or never.
 * `looksFor`: the properties that are asked for.
 */
export function migration(
  origins: Origins,
  rules: Rules = usual,
  looksFor: readonly Wrong[] = ['double', 'loss'],
): Model<World> {
  const asked = properties.filter(({ kind }) => looksFor.includes(kind))
  return {
    initial,
    key,
    steps: world => [
      ...(world.link ? [{ label: 'the link breaks', to: { ...world, link: false }, expected: false }] : []),
      ...sourceSteps(rules, world, origins.source === 'lent'),
      ...destinationSteps(rules, world, origins.destination === 'lent'),
    ],
    wrong: world => asked.find(({ isBroken }) => isBroken(world))?.what,
    isSettled,
  }
}

const executing: ReadonlySet<World['destinationDevice']> = new Set(['partly out', 'out'])

interface Property {
  readonly kind: Wrong
  readonly what: string
  readonly isBroken: (world: World) => boolean
}

const properties: readonly Property[] = [
  {
    kind: 'double',
    what: 'two owners execute one state',
    isBroken: world => world.sourceDevice === 'runs' && executing.has(world.destinationDevice),
  },
  {
    kind: 'double',
    what: 'the source executes again what the destination has executed',
    isBroken: world => world.sourceRanAgain && world.destinationRan,
  },
  {
    kind: 'double',
    what: 'the source runs after a run-intent that was not abdicated',
    isBroken: world => world.sourceRanAgain && has(world, 'run-intent') && !has(world, 'abdicated'),
  },
  {
    kind: 'double',
    what: 'both sides may run',
    isBroken: world =>
      world.sourceUp &&
      world.destinationUp &&
      sourceMayRun(world.source) &&
      destinationMayRun(world.destination),
  },
  { kind: 'loss', what: 'the state is lost, and need not be', isBroken: isNeedlessLoss },
]

/** Both sides know what has become of the state, and what may run, runs. */
export function isSettled(world: World): boolean {
  const isIdle = world.sourceKernel === 'none' && world.destinationKernel === 'none'
  const isWritten = world.sourceWrites === undefined && world.destinationWrites === undefined
  return (
    world.sourceUp &&
    world.destinationUp &&
    isIdle &&
    isWritten &&
    sourceKnows(world) &&
    destinationKnows(world)
  )
}

function sourceKnows({ source, sourceDevice, toldLost }: World): boolean {
  if (source === 'yielded') return toldLost
  return (
    source === 'released' || ((source === 'owner' || source === 'reclaimed') && sourceDevice !== 'stopped')
  )
}

function destinationKnows({ destination, destinationDevice }: World): boolean {
  if (destination === 'doubtful') return destinationDevice === 'blank'
  if (destination === 'running') return destinationDevice === 'out' || destinationDevice === 'blank'
  return destination === 'abdicated'
}

/** It is settled, and the state is executed nowhere. */
export function isLost(world: World): boolean {
  return isSettled(world) && world.sourceDevice !== 'runs' && world.destinationDevice !== 'out'
}

/**
 * A loss is one that need not be, unless the destination's process died with a complete copy, or the source's did and
 * there was no other copy, or it had asked for it back, or the other copy was refused.
 */
function isNeedlessLoss(world: World): boolean {
  if (!isLost(world) || world.destinationDied) return false
  if (world.sourceDevice !== 'blank') return true
  return world.destinationDevice === 'whole' && !world.wantedBack && !world.refused
}

/** A counterexample, for people. */
export function written({ what, trace }: Counterexample<World>): string {
  const lines = trace.map(({ label, world }, at) => {
    const changes = difference(trace[at - 1]?.world ?? world, world)
    return changes === '' ? `  ${at}. ${label}` : `  ${at}. ${label}   (${changes})`
  })
  return [`${what}:`, ...lines].join('\n')
}
