// SPDX-License-Identifier: Apache-2.0
import { MockDevice, type MockOptions } from '#lib/mock/index.js'
import type { Device, StateName } from '#lib/index.js'
import type { SideName } from '../../matrix/case.ts'

/** Bytes of the state of every device of the sample. */
export const size = 64 * 1024

/** What a device holds when a case begins: its identity, and how many steps of the workload it has made. */
export interface Beginning {
  readonly seed: bigint
  readonly epoch: number
}

export type Beginnings = Readonly<Record<SideName, Beginning>>

/** Whose state it began as, and whether with a reset in the case. */
export type Life = SideName | `${SideName}, reset`

/** What a device holds. */
export interface Holding {
  readonly of: Life
  readonly epoch: number
  readonly digest: string
  /** It is byte for byte what so many steps of the workload make of that. */
  readonly isTrue: boolean
}

/** A device that is migrated, with the hands of all others on it. */
export interface Hands {
  readonly device: Device
  /** Asked beside the device; undefined where it does not say. */
  state(): Promise<StateName | undefined>
  /** It executes now. */
  runs(): boolean
  holds(): Holding
  /** So many steps of the workload, of one that runs. */
  step(steps: number): void
  /** How often it was reset, by whomever, since the case began. */
  resets(): number
  /** Resolves when the reset is over, or waits for nothing but what is held. */
  reset(): Promise<{ readonly over: Promise<number> }>
  /** Leads it there, and keeps no session. */
  lead(state: StateName): Promise<number>
  beginAnew(): void
  takeAway(): Promise<void>
}

/** Both devices of a case, with its faults put where they belong. */
export interface Stage extends Readonly<Record<SideName, Hands>> {
  /** Resolves with true when a fault holds something, with false when it is over before that. */
  untilHeld(isOver: AbortSignal): Promise<boolean>
  /** Lets go what is held. */
  release(): Promise<void>
  /** Resolves when the destination holds what the source does. */
  untilLoaded(): Promise<void>
  /** How much each device has seen so far, where that is written down: source, destination. */
  marks(): number[]
}

const digests = new Map<string, string>()

/** The digest of a state, by its model: docs/firmware-model.md. */
export function digestOf(seed: bigint, epoch: number): string {
  const key = `${seed} ${epoch}`
  const digest = digests.get(key) ?? modelOf({ size, seed }, epoch).digest()
  digests.set(key, digest)
  return digest
}

function modelOf(options: MockOptions, steps: number): MockDevice {
  const mock = new MockDevice(options)
  mock.open()
  if (steps > 0) mock.step(steps)
  return mock
}
