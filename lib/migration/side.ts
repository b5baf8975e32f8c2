// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import { setStatesTogether } from '../device/together.ts'
import { opensSession, type Edge } from '../device/transition.ts'
import { isVfioError, type Arc } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'
import type { SideReport } from './report.ts'

/** One device of a migration, with the record of what was done to it. */
export class Side {
  readonly device: Device
  readonly #arcs: Arc[] = []
  /** States that it was led into, also where the arc failed behind them. */
  readonly #entered = new Set<StateName>()
  readonly #onArcs: (arcs: readonly Arc[]) => void
  #before: StateName | undefined
  /** Where it was left, or found. A state that is not this one was set by somebody else. */
  #expected: StateName | undefined
  /** An arc failed, and nobody may be sure of what it left. */
  #isPoisoned = false
  #wasReset = false
  /** Somebody else has made it run. */
  #wasLedOn = false
  #isStuck = false
  #error: Error | undefined
  #path: Promise<unknown> = Promise.resolve()

  constructor(device: Device, onArcs: (arcs: readonly Arc[]) => void) {
    this.device = device
    this.#onArcs = onArcs
  }

  /** Asks where it is before anything is done to it. */
  async begin(): Promise<StateName> {
    this.#before = this.#expected = await this.device.state()
    return this.#before
  }

  get arcs(): readonly Arc[] {
    return this.#arcs
  }

  /** The state that it was found in. */
  get before(): StateName | undefined {
    return this.#before
  }

  get expected(): StateName | undefined {
    return this.#expected
  }

  /** It was not touched, or was led back and holds what it held. One whose first arc led it into ERROR is not. */
  get isAsBefore(): boolean {
    return this.#expected === this.#before && !this.wasResumed
  }

  /** True when it was led into any state. */
  get hasMoved(): boolean {
    return this.#entered.size > 0
  }

  /** True when a state was, or was to be, loaded into the device: it is not what it was. */
  get wasResumed(): boolean {
    return this.#entered.has('RESUMING')
  }

  /** True when the device left the STOP in which it holds what was loaded into it, or may have: it may have run. */
  get mayHaveRun(): boolean {
    const loaded = this.#arcs.findIndex(({ from }) => from === 'RESUMING')
    if (loaded < 0) return false
    return (
      this.#arcs.length > loaded + 1 || this.#wasLedOn || (this.#isPoisoned && this.#expected === undefined)
    )
  }

  get isPoisoned(): boolean {
    return this.#isPoisoned
  }

  /** A path is being driven, alone or with others; it does not matter how it ends. */
  follow(path: Promise<unknown>): void {
    this.#path = path.catch(() => undefined)
  }

  /** Resolves when what was led on is where that ended: nobody is led back before. */
  async idle(): Promise<void> {
    await this.#path
  }

  async go(target: StateName): Promise<void> {
    await lead([this], target)
  }

  /** Back to `target` from wherever it is: what else was foreseen does not count any more. */
  async goBack(target: StateName): Promise<void> {
    try {
      this.record(await this.device.setState(target))
    } catch (error) {
      this.record(isVfioError(error) ? error.arcs : [], error)
      throw error
    }
  }

  async reset(): Promise<void> {
    await this.device.reset()
    this.#wasReset = true
    this.#expected = undefined
  }

  /** Takes down what a path came to. */
  record(arcs: readonly Arc[], error?: unknown): void {
    this.#arcs.push(...arcs)
    for (const { to } of arcs) this.#entered.add(to)
    this.#expected = arcs.at(-1)?.to ?? this.#expected
    if (isVfioError(error)) this.#recordFailure(error)
    if (arcs.length > 0) this.#onArcs(arcs)
  }

  /** Nothing but a reset helps, and it is not ours to make. */
  leaveStuck(): void {
    this.#isStuck = true
  }

  /** Why it is not where it should be. */
  fail(error: unknown): void {
    this.#error ??= error instanceof Error ? error : new Error(String(error))
  }

  async report(): Promise<SideReport> {
    const { name: device, driver, mock } = this.device
    const state = await this.device.state().catch(() => undefined)
    await this.device.sessionClosed().catch(() => undefined)
    const recovery = this.#isStuck || needsReset(state) ? 'reset' : 'none'
    const error = this.#error && { error: this.#error }
    return {
      device,
      driver,
      mock,
      arcs: [...this.#arcs],
      state,
      wasReset: this.#wasReset,
      recovery,
      ...error,
    }
  }

  /** A SET can fail when its state is there already, because the process has no fd for the session. */
  #recordFailure({
    code,
    failedArc,
    state,
  }: {
    code: string
    failedArc?: Edge | undefined
    state?: StateName | undefined
  }): void {
    if (code === 'ERR_VFIO_STATE_MOVED') this.#wasLedOn = state !== undefined && runningStates.has(state)
    if (failedArc === undefined) return
    this.#isPoisoned = state === undefined
    const isThere = failedArc.to === state && opensSession(failedArc)
    if (isThere) this.#entered.add(state)
    // Any other state was set by somebody else.
    this.#expected = state === undefined || state === 'ERROR' || isThere ? state : failedArc.from
  }
}

/** The states in which a device may do its work. */
const runningStates: ReadonlySet<StateName> = new Set(['RUNNING', 'RUNNING_P2P', 'PRE_COPY', 'PRE_COPY_P2P'])

function needsReset(state: StateName | undefined): boolean {
  return state === undefined || state === 'ERROR' || state === 'RESUMING'
}

/** The states in which no device begins DMA, and each still takes that of the others. */
const p2pStates: ReadonlySet<StateName> = new Set(['PRE_COPY_P2P', 'RUNNING_P2P'])

/**
 * Leads devices to `target`. Those of a set go through their P2P states, and none beyond before all are there.
 * @returns when the first arc of all was begun, in ms on the devices' clock; undefined where none was to be made.
 * @throws the error of a device that failed, rather than of one that was held back for it.
 */
export async function lead(
  sides: readonly Side[],
  target: StateName,
  { isSet = false }: { isSet?: boolean } = {},
): Promise<number | undefined> {
  const driven = setStatesTogether(
    sides.map(({ device }) => device),
    target,
    { through: isSet ? p2pStates : undefined, from: sides.map(({ expected }) => expected as StateName) },
  )
  for (const side of sides) side.follow(driven)
  const outcomes = await driven.catch((error: unknown) => {
    // Nobody was touched, for one that was not where it was left.
    for (const side of sides)
      if (isVfioError(error) && error.device === side.device.name) side.record([], error)
    throw error
  })
  outcomes.forEach(({ arcs, error }, index) => sides[index]?.record(arcs, error))
  const errors = outcomes.flatMap(({ error }) => error ?? [])
  const first = errors.find(error => !(isVfioError(error) && error.code === 'ERR_VFIO_HELD_BACK'))
  const told = first ?? errors[0]
  if (told) throw told
  const begun = outcomes.flatMap(({ begunAt }) => begunAt ?? [])
  return begun.length > 0 ? Math.min(...begun) : undefined
}
