// SPDX-License-Identifier: Apache-2.0
import { isMockName, isVfioError, openDevice, VfioSystemError } from '../index.ts'
import type { Arc, Device, SideReport, StateName } from '../index.ts'
import { untilAborted } from '../abort.ts'
import type { Context, InHand } from './context.ts'
import { CommandFailure, type Aftermath } from './failure.ts'
import { leftBehind, type Part } from './left_behind.ts'
import type { KnownDevice } from './second_signal.ts'
import type { MockDevice } from '../mock/device.ts'
import { mockNamed, sayUnusedFaults, simulationOutput } from './mock.ts'
import type { DeviceOutput, SimulationOutput } from './schemas/parts.ts'
import { UsageError } from './refusals.ts'

/** How the command line says that a device is to be opened. */
export interface OpeningOptions {
  readonly via?: 'cdev' | 'group'
  readonly vfToken?: string
}

/** The number in `fd:N`, undefined for a device that is named otherwise. */
export function lentFd(name: string): number | undefined {
  if (!name.startsWith('fd:')) return undefined
  const number = /^fd:(\d{1,9})$/.exec(name)?.[1]
  if (number === undefined) throw new UsageError(`'${name}' names no fd: write fd:N with its number`)
  return Number(number)
}

/** A mock that this command has made. */
interface OwnMock {
  readonly device: MockDevice
  readonly simulation: SimulationOutput
}

/** A device while a command has it in hand: what was done to it, and what it was before. */
export class Hand implements InHand {
  readonly device: Device
  /** The state that it was in when it was taken; undefined for one that does not migrate. */
  readonly before: StateName | undefined
  readonly arcs: Arc[] = []
  /** What it is in a move. */
  part: Part | undefined
  /** An arc may be under way: where it is then, the kernel has not said. */
  isDriven = false
  readonly #context: Context
  readonly #name: string
  readonly #ownMock: OwnMock | undefined
  #last: StateName | undefined
  /** What was heard of an operation that has not ended. */
  #heard: Arc[] = []
  #wasReset = false
  /** Why it is not where it should be, or what hindered a reset. */
  #error: Error | undefined
  /** Whose state it was to take. */
  #stateOf: string | undefined
  #isClosed = false

  private constructor(
    name: string,
    device: Device,
    {
      before,
      ownMock,
      context,
    }: { before: StateName | undefined; ownMock: OwnMock | undefined; context: Context },
  ) {
    this.device = device
    this.before = this.#last = before
    this.#name = name
    this.#ownMock = ownMock
    this.#context = context
    context.io.inHand?.add(this)
  }

  /** Opens the device, or takes the fd over, and asks for its state. Does not wait longer than the command has time. */
  static async open(name: string, options: OpeningOptions, context: Context): Promise<Hand> {
    const taking = Hand.#open(name, options, context)
    try {
      return await untilAborted(taking, context.signal)
    } catch (error) {
      taking.then(
        hand => hand.close(),
        () => undefined,
      )
      throw error
    }
  }

  static async #open(name: string, options: OpeningOptions, context: Context): Promise<Hand> {
    const fd = lentFd(name)
    const isOpen = fd !== undefined || isMockName(name)
    if (isOpen && (options.via ?? options.vfToken) !== undefined)
      throw new UsageError(
        `'${name}' is ${fd === undefined ? 'a mock' : 'open already'}: --via and --vf-token do not apply`,
      )
    const mock = await mockNamed(name)
    const ownMock = mock && { device: mock, simulation: await simulationOutput(mock) }
    const { via, vfToken } = options
    const open = context.io.openDevice ?? openDevice
    const device = await open(mock ?? (fd === undefined ? name : { fd }), {
      ...(via && { via }),
      ...(vfToken && { vfToken }),
      signal: context.signal,
    })
    try {
      const before = device.capabilities.stopCopy ? await device.state() : undefined
      if (device.mock)
        context.say(`'${name}' is ${device.name}, a mock of ${device.driver}: all of it is simulated.`)
      if (device.resetAtOpen) context.say(`'${name}' was left in ${device.resetAtOpen}, so it was reset`)
      return new Hand(name, device, { before, ownMock, context })
    } catch (error) {
      await device.close()
      throw error
    }
  }

  /** What a person tells it by: as it was named, or by its own name where `mock:` may name several. */
  get title(): string {
    return this.#ownMock ? this.device.name : this.#name
  }

  /** It was opened by this command, so that its life began, and ends, with it. */
  get isOpened(): boolean {
    return this.device.origin === 'opened'
  }

  /** What its close does to a state that was restored into it and runs. */
  get fateAtClose(): string {
    if (this.#ownMock) return 'a mock ends with this command'
    if (!this.isOpened) return 'its lender goes on with it'
    return this.#isPci ? 'what was restored is gone' : 'its driver decides whether what was restored stays'
  }

  get where(): string {
    return `'${this.title}' is in ${this.#last ?? 'a state that it does not tell'}`
  }

  get left(): string {
    const { title, isOpened, before, part } = this
    const isOwnMock = this.#ownMock !== undefined
    return leftBehind({ title, name: this.#name, isOpened, isOwnMock, before, last: this.#last, part })
  }

  get isAsBefore(): boolean {
    return !this.isDriven && this.#last === this.before && !this.#hasLostState
  }

  get known(): KnownDevice {
    const { name, mock } = this.device
    const [state, arcs] = [this.#last, [...this.arcs, ...this.#heard]]
    const recovery = this.before !== undefined && isStuck(state) ? 'reset' : 'none'
    const output = { device: name, mock: mock || undefined, arcs, state, recovery } as const
    return { isAsBefore: this.isAsBefore, output: { ...output, wasReset: this.#wasReset || undefined } }
  }

  /** Somebody who drives the device has made these arcs. */
  hear(arcs: readonly Arc[]): void {
    this.#heard.push(...arcs)
    this.#last = arcs.at(-1)?.to ?? this.#last
  }

  /** Takes down what a migration did with the device. */
  record({ arcs, state, wasReset, error }: SideReport, stateOf?: string): void {
    this.arcs.push(...arcs)
    this.#heard = []
    this.isDriven = false
    this.#wasReset ||= wasReset
    this.#error = error
    this.#stateOf = stateOf
    this.#last = state ?? this.#last
  }

  async go(target: StateName, options: { signal?: AbortSignal; direct?: boolean } = {}): Promise<Arc[]> {
    this.isDriven = true
    try {
      const arcs = await this.device.setState(target, options)
      this.#drove(arcs)
      return arcs
    } catch (error) {
      if (isVfioError(error)) this.#drove(error.arcs)
      throw error
    } finally {
      this.isDriven = false
    }
  }

  #drove(arcs: readonly Arc[]): void {
    this.arcs.push(...arcs)
    this.#last = arcs.at(-1)?.to ?? this.#last
  }

  /** Does `work`; when it fails, `recover`, and tells what became of the device. */
  async attempt<T>(work: () => Promise<T>, recover: () => Promise<void>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      await recover().catch(() => undefined)
      throw new CommandFailure(error, [await this.aftermath()])
    }
  }

  /** Puts the device back into the state that it was in when it was taken. */
  async putBack(): Promise<void> {
    if (this.before !== undefined && (await this.device.state()) !== this.before) await this.go(this.before)
  }

  /**
   * Makes a destination blank: RESUMING is left by a reset only. Only one that was opened here, which closing resets
   * anyway: the state of a lent one is its lender's to give up.
   */
  async makeBlank(): Promise<void> {
    if (!this.isOpened || (!this.#wasResumed && (await this.#state()) === this.before)) return
    await this.reset()
  }

  /** Resets the device: what it held is gone. */
  async reset(): Promise<void> {
    try {
      await this.device.reset()
    } catch (error) {
      this.#error = error as Error
      throw error
    }
    this.#wasReset = true
  }

  /** What became of the device, asked of the kernel. */
  async aftermath(): Promise<Aftermath> {
    const state = await this.#state()
    const restored = state === this.before && !this.#hasLostState
    const stuck = !restored && isStuck(state)
    return {
      device: this.device.name,
      mock: this.device.mock,
      arcs: this.arcs,
      state,
      restored,
      wasReset: this.#wasReset,
      recovery: stuck ? 'reset' : 'none',
      advice: this.#advice(state, restored, stuck),
      hindrance: this.#error && { title: this.title, message: this.#error.message },
    }
  }

  /** A state was to be loaded into it. */
  get #wasResumed(): boolean {
    return [...this.arcs, ...this.#heard].some(({ to }) => to === 'RESUMING')
  }

  /** A whole state is in it. */
  get #wasLoaded(): boolean {
    return this.arcs.some(({ from }) => from === 'RESUMING')
  }

  /** Somebody else has reset it, or drives it. */
  get #wasTaken(): boolean {
    return isVfioError(this.#error) && this.#error.code === 'ERR_VFIO_STATE_MOVED'
  }

  get #resetFailed(): boolean {
    return this.#error instanceof VfioSystemError && this.#error.request === 'VFIO_DEVICE_RESET'
  }

  /** The reset of a PCI function clears it; what another device's clears is its driver's affair (mtty: nothing). */
  get #isPci(): boolean {
    const { mock, driver, name } = this.device
    return mock ? driver !== 'mtty' : /^[0-9a-f]{4,8}:[0-9a-f]{2}:/.test(name)
  }

  /** What it held is gone. A PCI function that was opened here held nothing, and holds nothing again when it is reset. */
  get #hasLostState(): boolean {
    if (!this.isOpened) return this.#wasResumed || this.#wasReset || this.#wasTaken
    return this.#wasResumed && !(this.#wasReset && (this.#isPci || !this.#wasLoaded))
  }

  /** What happens to a device in `state` now that the command ends; undefined when there is nothing to say. */
  ending(state: StateName): string | undefined {
    if (state === 'RUNNING') return undefined
    if (this.#ownMock) return `'${this.title}' is a mock and ends with this command.`
    return this.isOpened
      ? `'${this.title}' is reset as this command ends.`
      : `'${this.title}' is lent and is left in ${state}: its lender decides what becomes of it.`
  }

  output(): DeviceOutput {
    const { name, driver, origin, via, mock } = this.device
    return { name, driver, origin, via, mock: mock || undefined, simulation: this.#ownMock?.simulation }
  }

  async close(): Promise<void> {
    await this.device.close()
    this.#context.io.inHand?.delete(this)
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#ownMock) await sayUnusedFaults(this.#ownMock.device, this.#context)
  }

  async #state(): Promise<StateName | undefined> {
    if (!this.device.capabilities.stopCopy) return undefined
    return await this.device.state().catch(() => undefined)
  }

  #advice(state: StateName | undefined, restored: boolean, stuck: boolean): string[] {
    const name = `'${this.title}'`
    if (restored) return this.#wasReset ? [`${name} was reset${this.#cleared(state)}`] : []
    const now = this.#now(state)
    if (this.isOpened && this.#wasReset)
      return [`${now}: what was loaded may still be in it, as its driver's reset need not clear it.`]
    if (this.isOpened)
      return [`${now}. ${this.#resetFailed ? 'Its reset has failed.' : 'It is reset as this command ends.'}`]
    const lost = this.#hasLostState && !this.#holdsMovedState ? ', and what it held is gone' : ''
    const remedy = stuck ? ` Only a reset helps: vfio-migrate reset ${this.#name} --yes` : ''
    return [`${now}${lost}.${remedy}`]
  }

  /** The whole state of a source was loaded into it, and nothing has taken that away. */
  get #holdsMovedState(): boolean {
    return this.#stateOf !== undefined && this.#wasLoaded && !this.#wasReset && !this.#wasTaken
  }

  #now(state: StateName | undefined): string {
    const name = `'${this.title}'`
    if (this.#holdsMovedState && !isStuck(state)) {
      const holds = state === 'RUNNING' ? 'runs with' : `is in ${state}, with`
      return `${name} ${holds} the state of '${this.#stateOf}'`
    }
    const now = `${name} is in ${state ?? 'a state that it does not tell'}`
    if (this.#wasTaken) return `${now}: somebody else has reset it, or drives it`
    if (this.#wasReset) return `${now} after a reset`
    if (state === this.before) return this.#hasLostState ? now : `${now}, as before`
    return `${now}, and was in ${this.before ?? 'none'} before`
  }

  #cleared(state: StateName | undefined): string {
    if (this.#isPci) return `: it is blank, as it was when it was opened, and in ${state}.`
    return `, and is in ${state} as before: nothing was loaded into it.`
  }
}

/** Nothing but a reset leads out of it, or nobody knows. */
function isStuck(state: StateName | undefined): boolean {
  return state === undefined || state === 'ERROR' || state === 'RESUMING'
}
