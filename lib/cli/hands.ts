// SPDX-License-Identifier: Apache-2.0
import { findDevice, isMockName, type Device, type MigrationReport } from '../index.ts'
import { refuseBlankMock, refuseBlankSource } from './blank_source.ts'
import type { Context } from './context.ts'
import type { Aftermath } from './failure.ts'
import { Hand, lentFd, type OpeningOptions } from './hand.ts'
import { checkMock } from './mock.ts'
import { UsageError } from './refusals.ts'

/** A device and the one that takes its state, as they were named. */
export interface Pair {
  readonly from: string
  readonly to: string
}

export interface TakingOptions extends OpeningOptions {
  readonly blankSource?: boolean
}

/** SOURCE DESTINATION, as often as there are pairs. */
export function pairsOf(names: readonly string[]): readonly Pair[] {
  if (names.length % 2 !== 0)
    throw new UsageError(`'${names.at(-1)}' has no destination: name one behind each source`)
  return names.flatMap((from, index) => (index % 2 === 0 ? [{ from, to: names[index + 1] ?? '' }] : []))
}

/** Refuses what cannot be meant, by what can be known without opening a device. */
export async function refusePairs(pairs: readonly Pair[], options: TakingOptions): Promise<void> {
  for (const { from } of pairs) await refuseBlankSource(from, options)
  const named = new Set<string>()
  for (const name of pairs.flatMap(({ from, to }) => [from, to])) {
    const own = await ownName(name)
    // Each mock that is named is another one.
    if (name.startsWith('mock:')) continue
    if (named.has(own))
      throw new UsageError(
        `'${name}' is named twice: each source and each destination is a device of its own`,
      )
    named.add(own)
  }
}

/** Also looks whether there is such a device. */
async function ownName(name: string): Promise<string> {
  if (isMockName(name)) {
    await checkMock(name)
    return name
  }
  return lentFd(name) === undefined ? (await findDevice(name)).name : name
}

/** The devices of a move in hand: as many destinations as sources, in the order of the command line. */
export class Hands {
  readonly sources: readonly Hand[]
  readonly destinations: readonly Hand[]

  private constructor(sources: readonly Hand[], destinations: readonly Hand[]) {
    this.sources = sources
    this.destinations = destinations
  }

  /** Opens all of them, or none. */
  static async open(pairs: readonly Pair[], options: TakingOptions, context: Context): Promise<Hands> {
    const [sources, destinations]: [Hand[], Hand[]] = [[], []]
    try {
      for (const { from } of pairs) {
        const hand = await Hand.open(from, options, context)
        sources.push(hand)
        refuseBlankMock(from, hand, options)
      }
      for (const { to } of pairs) destinations.push(await Hand.open(to, options, context))
      return new Hands(sources, destinations)
    } catch (error) {
      for (const hand of [...destinations, ...sources]) await hand.close()
      throw error
    }
  }

  get from(): readonly Device[] {
    return this.sources.map(({ device }) => device)
  }

  get to(): readonly Device[] {
    return this.destinations.map(({ device }) => device)
  }

  /** From now on each knows what to say of itself, should the command die. */
  assign(isCommitted: boolean): void {
    const destinationStays = this.destinations.some(({ isOpened }) => !isOpened)
    for (const hand of this.sources) hand.part = { side: 'source', isCommitted, destinationStays }
    for (const hand of this.destinations) hand.part = { side: 'destination', isCommitted, destinationStays }
  }

  /** From now on, and until it is taken down what was done, an arc of each may be under way. */
  drive(): void {
    for (const hand of [...this.sources, ...this.destinations]) hand.isDriven = true
  }

  /** Takes down what a migration did. */
  record({ devices }: MigrationReport): void {
    devices.forEach(({ source, destination }, index) => {
      const from = this.sources[index]
      from?.record(source)
      this.destinations[index]?.record(destination, from?.title)
    })
  }

  /** What became of them, those that are not as they were before the others. */
  async aftermaths(): Promise<Aftermath[]> {
    const all = await Promise.all([...this.sources, ...this.destinations].map(hand => hand.aftermath()))
    return all.toSorted((a, b) => Number(a.restored) - Number(b.restored))
  }

  async close(): Promise<void> {
    for (const hand of [...this.destinations, ...this.sources]) await hand.close()
  }
}
