// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { VfioError, type Device, type ResumingStream, type SavingStream } from 'vfio-migrate'
import { kernel } from '../preloaded/kernel.js'
import { kindOf, type Way } from './devices.js'
import type { Dice } from './dice.js'
import { LoadCheck } from './load_check.js'
import { isInTheWay } from './outcome.js'
import { StreamCheck } from './stream_check.js'
import { within } from './within.js'

/** In the middle of what could lead the device elsewhere: nothing is certain. */
const uncertain = -1

/**
 * Who has one of the devices, and begins operations on it without waiting for those that are under way. Whatever comes in
 * whose way, each has to come to an end, and no byte may be wrong.
 */
export class Holder {
  readonly index: number
  readonly dice: Dice
  /** For files of its own. */
  readonly directory: string
  /** Those of the same thread, this one among them. */
  readonly crew: readonly Holder[]
  readonly aborts = new Set<AbortController>()
  /** Streams that somebody waits for, who would wait for ever where they are collected. */
  readonly awaited: (SavingStream | ResumingStream)[] = []
  /** Streams that a close ends for nobody who waits for them. */
  readonly orphans: (SavingStream | ResumingStream)[] = []
  device: Device | undefined
  /** How many operations. */
  begun = 0
  /** What it found wrong. */
  failure: Error | undefined
  readonly #ends = new Map<Promise<void>, string>()
  readonly #last: string[] = []
  readonly #saving = new WeakMap<SavingStream, StreamCheck>()
  readonly #resuming = new WeakMap<ResumingStream, LoadCheck>()
  #kept: [chunk: Uint8Array, sum: number][] = []
  /** Nobody else has the device: a lent one may be open twice. */
  #isAlone = false
  #moves = 0
  #moving = 0

  constructor(index: number, dice: Dice, directory: string, crew: readonly Holder[]) {
    this.index = index
    this.dice = dice
    this.directory = directory
    this.crew = crew
  }

  /** Resolves when the operation has come to an end, with whether to a good one. */
  async begin(name: string, operation: (holder: Holder) => Promise<void>): Promise<boolean> {
    let isGood = false
    const end = (async () => await operation(this))()
      .then(
        () => void (isGood = true),
        (error: unknown) => this.#fail(name, error),
      )
      .finally(() => this.#ends.delete(end))
    this.#ends.set(end, name)
    this.begun++
    this.#last.push(name)
    if (this.#last.length > 12) this.#last.shift()
    await end
    return isGood
  }

  own(device: Device, way: Way): void {
    this.device = device
    this.#isAlone = way === 'opened'
  }

  /** What can be done to the device. */
  get session(): 'closed' | 'none' | 'saving' | 'resuming' {
    if (this.device === undefined) return 'closed'
    for (const session of ['saving', 'resuming'] as const) if (hasStream(this.device, session)) return session
    return 'none'
  }

  /** The device, for an operation that needs one. */
  has(): Device {
    if (this.device !== undefined) return this.device
    throw new VfioError('ERR_VFIO_CLOSED', 'nobody has it open')
  }

  /** Anything that may lead the device elsewhere. */
  async move(call: () => Promise<unknown>): Promise<void> {
    this.#moves++
    this.#moving++
    try {
      await call()
    } finally {
      this.#moving--
    }
  }

  /** Nobody closes the device: the garbage collector is to, and a reader is left without anybody who could end it. */
  forget(): void {
    this.orphans.push(...this.awaited)
    this.device = undefined
    this.#moves++
  }

  signal(): AbortSignal {
    const controller = new AbortController()
    this.aborts.add(controller)
    return controller.signal
  }

  saving(): [SavingStream, StreamCheck] {
    const stream = this.has().savingStream
    let check = this.#saving.get(stream)
    if (check === undefined) {
      check = new StreamCheck(kindOf(this.index) !== 'mtty')
      this.#saving.set(stream, check)
      if (this.dice.oneIn(2)) stream.on('error', () => undefined)
    }
    return [stream, check]
  }

  resuming(): [ResumingStream, LoadCheck] {
    const stream = this.has().resumingStream
    let check = this.#resuming.get(stream)
    if (check === undefined) {
      check = new LoadCheck(this.#moving === 0 ? this.#moves : uncertain)
      this.#resuming.set(stream, check)
      stream.on('error', () => undefined)
    }
    return [stream, check]
  }

  /** All of it was written and nothing else happened to the device: then the kernel has just that. */
  checkLoad(check: LoadCheck): void {
    const isCertain =
      check.isTold && this.#isAlone && check.met === this.#moves && kindOf(this.index) === 'mlx5'
    if (isCertain) assert.equal(taken(this.index) ?? String(check), String(check))
  }

  /** The chunk is ours for ever: it must not change. */
  keep(chunk: Uint8Array): void {
    this.#kept.push([chunk, crc32(chunk)])
    if (this.#kept.length > 8) this.#lookAt(this.#kept.splice(0, 4))
  }

  lookAtKept(): void {
    this.#lookAt(this.#kept)
  }

  /** Closes the device; everything that was begun has to come to an end. */
  async finish(): Promise<void> {
    for (const stream of this.orphans.splice(0)) stream.destroy()
    const closed = this.begin('close', async holder => await holder.device?.close())
    await within(Promise.all([closed, ...this.#ends.keys()]), () => this.#tell())
    this.device = undefined
    this.lookAtKept()
    this.#kept = []
  }

  #lookAt(kept: readonly (readonly [Uint8Array, number])[]): void {
    for (const [chunk, sum] of kept)
      assert.equal(crc32(chunk), sum, `a chunk that was kept has changed: ${this.#tell()}`)
  }

  #fail(name: string, error: unknown): void {
    if (!isInTheWay(error)) this.failure ??= new Error(`${name} of ${this.#tell()}`, { cause: error })
  }

  #tell(): string {
    const underWay = [...this.#ends.values()].join(', ')
    return `device ${this.index} (under way: ${underWay}; last begun: ${this.#last.join(', ')})`
  }
}

/** Undefined where a reset that overtook the way to RESUMING has ended the session. */
function taken(index: number): string | undefined {
  try {
    return kernel.ask(`taken ${index}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV') return undefined
    throw error
  }
}

function hasStream(device: Device, session: 'saving' | 'resuming'): boolean {
  try {
    return !device[`${session}Stream`].destroyed
  } catch {
    return false
  }
}
