// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises'
import type { DeviceBackend } from '#lib/backend/seam.js'
import { openByName } from '#lib/device/by_name.js'
import { openDevice, type Device } from '#lib/index.js'
import { errno } from '#lib/kernel/errno.js'
import { stateName, stateNumber } from '#lib/kernel/state.js'
import type { Fault } from '#lib/mock/index.js'
import type { SideName } from '../../matrix/case.ts'
import { setKnob, type BottledFunction, type Outcome, type Point } from '../bottled.ts'
import { Between, pointsBetween } from './between.ts'
import type { Sampled } from './case.ts'
import { underWay } from './reset.ts'
import { digestOf, type Hands, type Life } from './stage.ts'

/** A bottled function that stays open from case to case. */
export interface Opened {
  readonly bottled: BottledFunction
  readonly backend: DeviceBackend
}

/** The last one that was given to a function: no two lives have the same. */
let seeds = 0n

export async function openOne(bottled: BottledFunction): Promise<Opened> {
  await bottled.set({ seed: ++seeds })
  return { bottled, backend: await openByName(bottled.address, {}) }
}

/** Memory of mlx5_core's that a session lacks, where the mock says for what. */
const memoryOf: Readonly<Record<string, Point>> = {
  'source ALLOC_OPEN': 'CREATE_MKEY',
  'destination ALLOC_OPEN': 'ALLOC_PD',
  'destination ALLOC_RECORD': 'CREATE_MKEY',
}
const noMemory: Outcome = { status: 8 }

interface Parts {
  readonly side: SideName
  readonly one: Opened
  readonly lives: ReadonlyMap<bigint, Life>
  readonly between: Between
}

/** A bottled function in a case, with the case's faults. */
export class Role implements Hands {
  readonly device: Device
  readonly #side: SideName
  readonly #one: Opened
  readonly #lives: ReadonlyMap<bigint, Life>
  readonly #between: Between
  readonly #resets: number

  private constructor(device: Device, { side, one, lives, between }: Parts) {
    this.device = device
    this.#side = side
    this.#one = one
    this.#lives = lives
    this.#between = between
    this.#resets = one.bottled.resetsNow()
  }

  /** Adds to `lives` whose state a seed is: a reset begins another one, with another seed. */
  static async begin(given: Sampled, side: SideName, one: Opened, lives: Map<bigint, Life>): Promise<Role> {
    const { bottled, backend } = one
    lives.set(bottled.digestNow().seed, side)
    lives.set(++seeds, `${side}, reset`)
    await bottled.set({ seed: seeds })
    const faults = (given.faults ?? []).flatMap(struck => (struck.side === side ? [struck.fault] : []))
    const between = new Between(faults.filter(({ on }) => pointsBetween.has(on)))
    const { origin, begins } = given.scene
    const device = await openDevice(between.backend(backend, { name: side, origin }))
    const role = new Role(device, { side, one, lives, between })
    if (side === 'source' && begins) await role.lead(begins)
    for (const fault of faults) await role.#arrange(fault)
    return role
  }

  get bottled(): BottledFunction {
    return this.#one.bottled
  }

  async state(): ReturnType<Hands['state']> {
    return stateName(await this.#one.backend.calls.getState())
  }

  runs(): boolean {
    return this.bottled.isRunningNow()
  }

  holds(): ReturnType<Hands['holds']> {
    const { seed, epoch, digest } = this.bottled.digestNow()
    const of = this.#lives.get(seed)
    if (of === undefined) throw new Error(`nobody has begun with the seed ${seed}`)
    return { of, epoch: Number(epoch), digest, isTrue: digest === digestOf(seed, Number(epoch)) }
  }

  step(steps: number): void {
    this.bottled.stepNow(steps)
  }

  resets(): number {
    return this.bottled.resetsNow() - this.#resets
  }

  async reset(): ReturnType<Hands['reset']> {
    return await underWay(() => this.#one.backend.calls.reset())
  }

  async lead(state: Parameters<Hands['lead']>[0]): Promise<number> {
    const { result, session } = await this.#one.backend.calls.setStates([stateNumber(state)])
    await session?.close()
    return result
  }

  beginAnew(): void {
    this.bottled.reinitNow()
  }

  async takeAway(): Promise<void> {
    await setKnob(this.bottled.pf, 'attached', '0')
  }

  /** What did not come to pass. */
  async missed(): Promise<string[]> {
    return [...(await this.bottled.pendingFaults()), ...this.#between.missed]
  }

  /** Leaves it running to the next case; with a reset only where that has to be. `mayGoOn`: what it holds is nobody else's. */
  async end(mayGoOn: boolean): Promise<void> {
    for (const address of [this.bottled.address, this.bottled.pf]) await setKnob(address, 'faults', '\n')
    await this.device.close()
    await setKnob(this.bottled.pf, 'attached', '1')
    await this.#allowResets('default')
    if ((await this.state()) === 'RUNNING') return
    if (mayGoOn && (await this.lead('RUNNING')) === 0) return
    // The other one may have been reborn, and moved.
    await this.bottled.set({ seed: ++seeds })
    await this.#one.backend.calls.reset()
  }

  async #arrange(fault: Fault): Promise<void> {
    const { on, nth } = fault
    const memory = memoryOf[`${this.#side} ${on}`]
    if (on === 'RESET') await this.#allowResets('')
    else if (memory) await this.bottled.fault(memory, noMemory, nth)
    else if (!pointsBetween.has(on)) await this.bottled.fault(on as Point, outcomeOf(fault), nth)
  }

  /** The kernel's ways to reset the function, of which there may be none. */
  async #allowResets(methods: 'default' | ''): Promise<void> {
    await writeFile(`/sys/bus/pci/devices/${this.bottled.address}/reset_method`, `${methods}\n`)
  }
}

function outcomeOf({ on, status, errno: name, hold }: Fault): Outcome {
  if (hold) return 'hold'
  if (name) return { errno: String(errno[name]) }
  return { status: on === 'TRACKER' ? 1 : (status ?? 1) }
}
