// SPDX-License-Identifier: Apache-2.0
import type { DestinationEvent, DestinationState } from '#lib/ownership/destination.js'
import type { SourceEvent, SourceState } from '#lib/ownership/source.js'
import type { Fact } from '#lib/ownership/journal.js'

/**
 * A state-changing ioctl of a side: none; of its living process; of a process that was killed, which the kernel finishes
 * all the same; over, with that process about to let go of device and lock.
 */
const kernel = ['none', 'call', 'call of the dead', 'last close'] as const

export const factNames = [
  'yielded',
  'reclaimed',
  'released',
  'accepted',
  'run-intent',
  'ran',
  'abdicated',
] as const

export const messages = ['yielded', 'end', 'back', 'ask', 'running', 'abdicated', 'lost'] as const

/** `back`: abort, or ask with `back`. The offer was sent in the beginning; the data are a part of `end`. */
export type ModelMessage = (typeof messages)[number]

/** All that is modelled, with all values that each has. */
const domains = {
  /** The link that the migration began on. */
  link: [true, false],
  sourceUp: [true, false],
  source: ['owner', 'yielding', 'yielded', 'reclaimed', 'released'],
  sourceWrites: [undefined, 'yield', 'reclaim', 'release'],
  sourceDevice: ['runs', 'stopped', 'blank'],
  sourceKernel: kernel,
  /** The process is not the one that began. */
  sourceRecovered: [false, true],
  toldLost: [false, true],
  destinationUp: [true, false],
  destination: [
    'idle', 'accepted', 'interrupted', 'intending', 'committed', 'doubtful', 'running', 'abdicating', 'abdicated',
  ],
  destinationWrites: [undefined, 'accept', 'intend', 'ran', 'abdicate'],
  /**
   * Two devices, moved as one. `whole`: both are complete, in STOP. `partly out`: one has left STOP. `halted`: in STOP
   * again, after they were out.
   */
  destinationDevice: ['blank', 'whole', 'partly out', 'out', 'halted'],
  destinationKernel: kernel,
  shownYielded: [false, true],
  // What happened, for the properties.
  sourceRanAgain: [false, true],
  destinationRan: [false, true],
  /** A process of the destination died that held a complete copy. */
  destinationDied: [false, true],
  /** A source that could have run asked for it back. */
  wantedBack: [false, true],
  /** The destination's devices or participant would not have it. */
  refused: [false, true],
} as const // prettier-ignore

type Fields = { readonly [Name in keyof typeof domains]: (typeof domains)[Name][number] }

/** Facts and messages are sets, as bits. A journal is a set: no rule asks for an order. */
export interface World extends Fields {
  readonly facts: number
  readonly sent: number
}

// What the tables call their states and events is what is modelled, neither more nor less.
type Same<A, B> = [A, B] extends [B, A] ? true : never
export const modelled: [
  Same<Fields['source'], SourceState>,
  Same<Exclude<Fields['sourceWrites'], undefined>, SourceEvent>,
  Same<Fields['destination'], DestinationState>,
  Same<Exclude<Fields['destinationWrites'], undefined>, Exclude<DestinationEvent, 'found-stopped'>>,
  Same<(typeof factNames)[number], Fact>,
] = [true, true, true, true, true]

export const initial: World = {
  link: true,
  sourceUp: true,
  source: 'owner',
  sourceWrites: undefined,
  sourceDevice: 'runs',
  sourceKernel: 'none',
  sourceRecovered: false,
  toldLost: false,
  destinationUp: true,
  destination: 'idle',
  destinationWrites: undefined,
  destinationDevice: 'blank',
  destinationKernel: 'none',
  shownYielded: false,
  sourceRanAgain: false,
  destinationRan: false,
  destinationDied: false,
  wantedBack: false,
  refused: false,
  facts: 0,
  sent: 0,
}

const factBits = Object.fromEntries(factNames.map((name, bit) => [name, 1 << bit])) as Record<Fact, number>
const messageBits = Object.fromEntries(messages.map((name, bit) => [name, 1 << bit])) as Record<
  ModelMessage,
  number
>

export function has(world: World, fact: Fact): boolean {
  return (world.facts & factBits[fact]) !== 0
}

export function withFact(world: World, fact: Fact): World {
  return { ...world, facts: world.facts | factBits[fact] }
}

/** The facts of `known` that are in the journals. */
export function factsOf(world: World, known: readonly Fact[]): Fact[] {
  return known.filter(fact => has(world, fact))
}

export function wasSent(world: World, message: ModelMessage): boolean {
  return (world.sent & messageBits[message]) !== 0
}

export function withMessage(world: World, message: ModelMessage): World {
  return { ...world, sent: world.sent | messageBits[message] }
}

const places = Object.entries(domains).map(([name, values]) => ({
  name: name as keyof Fields,
  size: values.length,
  places: new Map<unknown, number>(values.map((value, place) => [value, place])),
}))

/** The world as one number, of mixed radix. */
export function key(world: World): number {
  let number = world.facts * 2 ** messages.length + world.sent
  for (const { name, size, places: of } of places) number = number * size + (of.get(world[name]) ?? NaN)
  return number
}

/** What of a world is not as in the one before, for people. */
export function difference(before: World, after: World): string {
  const fields = places.filter(({ name }) => before[name] !== after[name])
  const told = fields.map(({ name }) => `${name}: ${after[name] ?? 'nothing'}`)
  const facts = factNames.filter(fact => has(after, fact) && !has(before, fact))
  return [...told, ...facts.map(fact => `durable: ${fact}`)].join(', ')
}
