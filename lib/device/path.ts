// SPDX-License-Identifier: Apache-2.0
import { throwIfAborted } from '../abort.ts'
import type { ArcsAnswer, DeviceBackend, Gate, SessionCalls } from '../backend/seam.ts'
import { VfioError, VfioSystemError, type Arc } from '../errors.ts'
import { errno } from '../kernel/errno.ts'
import type { Capabilities } from '../kernel/feature.ts'
import { stateName, stateNumber, type StateName } from '../kernel/state.ts'
import { setStates } from './gate.ts'
import type { DeviceSession } from './session.ts'
import { checkUnmoved, edgesOf, moved, opensSession, planPath, poisons, type Edge } from './transition.ts'

const request = 'VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE'

/** How a path is driven. */
export interface PathOptions {
  /** Honoured before the first arc, not between. */
  readonly signal?: AbortSignal
  /** Gives the whole path to the kernel in one SET. */
  readonly direct?: boolean
  /** The state in which the device was left: where it is in another one by now, ERR_VFIO_STATE_MOVED and nothing is touched. */
  readonly from?: StateName
}

/** A path that is checked and not begun. @internal */
export interface Plan {
  readonly from: StateName
  readonly target: StateName
  /** Along the kernel's table. */
  readonly edges: readonly Edge[]
  /** The whole path is one SET. */
  readonly direct: boolean
  /** `from` was not asked of the kernel yet: it is, in one breath with the first SET. */
  readonly isUnasked: boolean
}

/** What a path came to. @internal */
export interface PathOutcome {
  readonly arcs: Arc[]
  readonly failure?: { readonly error: VfioSystemError; readonly poisons: boolean }
  /** It was not let through its gate: where the device waits. */
  readonly heldIn?: StateName
  /** When the first SET was issued, in ms on the backend's clock; absent where none was. */
  readonly begunAt?: number
}

/** The state that the kernel answers. @internal */
export async function askState({ calls, name }: DeviceBackend): Promise<StateName> {
  const answer = await calls.getState()
  const state = stateName(answer)
  if (state !== undefined) return state
  throw unanswered(answer, name)
}

function unanswered(answer: number, device: string): VfioSystemError {
  return new VfioSystemError(answer < 0 ? answer : -errno.EPROTO, { syscall: 'ioctl', request }, { device })
}

/** Drives a device along the kernel's table, and keeps its session in step. @internal */
export class PathDriver {
  readonly #backend: DeviceBackend
  readonly #capabilities: Capabilities
  readonly #session: DeviceSession

  constructor(backend: DeviceBackend, capabilities: Capabilities, session: DeviceSession) {
    this.#backend = backend
    this.#capabilities = capabilities
    this.#session = session
  }

  /** Touches nothing. `checkOpen` is called when the state is known. `isAlone`: no other device depends on this path. */
  async plan(
    target: StateName,
    options: PathOptions,
    checkOpen: () => void,
    isAlone: boolean,
  ): Promise<Plan> {
    const { name, calls } = this.#backend
    const isUnasked = isAlone && calls.setStatesFrom !== undefined && (options.from ?? target) !== target
    const from = isUnasked && options.from !== undefined ? options.from : await askState(this.#backend)
    checkOpen()
    this.#session.reconcile(from)
    if (options.from !== undefined) checkUnmoved(options.from, from, name)
    const edges = edgesOf(from, planPath(from, target, this.#capabilities, name))
    this.#session.checkPath(edges)
    if (edges.some(opensSession)) await this.#session.closed()
    throwIfAborted(options.signal)
    return { from, target, edges, direct: options.direct === true, isUnasked }
  }

  /** Drives the device along the path, with the others of a `gate` where there is one. */
  async drive({ from, target, edges, direct, isUnasked }: Plan, gate?: Gate): Promise<PathOutcome> {
    if (edges.length === 0) return { arcs: [] }

    this.#session.before(edges)
    const steps = direct ? [{ from, to: target }] : edges
    const states = steps.map(({ to }) => stateNumber(to))
    const answer = await setStates(
      this.#backend.calls,
      states,
      gate,
      isUnasked ? stateNumber(from) : undefined,
    )
    if (answer.found !== undefined) throw await this.#moved(answer, from)
    const made = direct && answer.result >= 0 ? edges : steps.slice(0, answer.done)
    const arcs = steps
      .slice(0, answer.done)
      .map((edge, index) => ({ ...edge, ms: span(answer, index, gate?.before) }))
    const failed = failedEdge(steps, answer)
    if (answer.session && !made.some(opensSession)) throw await this.#begunAnew(answer.session, arcs, target)
    if (failed === undefined) {
      await this.#session.after(made, answer)
      if (answer.result < 0) throw this.#notBegun(answer.result, from)
      const [begunAt] = answer.times
      const begun = { arcs, ...(begunAt !== undefined && { begunAt }) }
      return answer.done < steps.length ? { ...begun, heldIn: await this.#whereNow(arcs, from) } : begun
    }
    if (await this.#isGone(answer)) {
      await this.#session.end('the device is gone')
      return { arcs, failure: { error: this.#lost(failed.from, target, arcs), poisons: false } }
    }
    const spoilt = (direct ? edges : [failed]).some(poisons)
    await this.#session.after(made, answer, spoilt)
    return {
      arcs,
      failure: { error: await this.#explain(answer.result, failed, arcs, spoilt), poisons: spoilt },
    }
  }

  /** It was not where it was left: nothing was SET. */
  async #moved(answer: ArcsAnswer, expected: StateName): Promise<Error> {
    const { name } = this.#backend
    const state = stateName(answer.found ?? -errno.EPROTO)
    if (state === undefined) return unanswered(answer.found ?? 0, name)
    this.#session.reconcile(state)
    await this.#session.after([], answer)
    return moved(expected, state, name)
  }

  /** Where its arcs have led it, unless a reset came meanwhile. */
  async #whereNow(arcs: readonly Arc[], from: StateName): Promise<StateName> {
    const state = stateName(await this.#backend.calls.getState())
    if (state !== undefined) this.#session.reconcile(state)
    return state ?? arcs.at(-1)?.to ?? from
  }

  /**
   * The kernel opened a session where this path goes on with one: a reset, or another holder of the device, came between
   * two arcs. What the new one would give out is not what was being saved.
   */
  async #begunAnew(session: SessionCalls, arcs: readonly Arc[], target: StateName): Promise<VfioError> {
    const { name } = this.#backend
    await session.close()
    await this.#session.end('it was reset, or another process moved it, between two arcs')
    return new VfioError(
      'ERR_VFIO_SESSION_ENDED',
      `'${name}' was reset, or another process moved it, while it was led to ${target}: the state that was being saved is gone`,
      { device: name, arcs, state: await askState(this.#backend) },
    )
  }

  /** What the data of a session needs is made before the first SET: without it nothing was touched. */
  #notBegun(result: number, from: StateName): VfioSystemError {
    const remedy = `This process has no fd, memory or thread for the data of a session: raise its limits. The device was not touched`
    const call = { syscall: 'setStates', request }
    return new VfioSystemError(result, call, { device: this.#backend.name, state: from, remedy })
  }

  /** ENODEV of one arc may be the driver's word; of the question behind it too, there is nobody left to answer. */
  async #isGone({ result }: ArcsAnswer): Promise<boolean> {
    return result === -errno.ENODEV && (await this.#backend.calls.getState()) === -errno.ENODEV
  }

  /** The SET was issued, and its answer says nothing of how far it came. */
  #lost(from: StateName, target: StateName, arcs: readonly Arc[]): VfioSystemError {
    const remedy = `The device, or the process that served it, has gone while it was led from ${from} to ${target}: how far it came cannot be known. Only close() helps`
    return new VfioSystemError(
      -errno.ENODEV,
      { syscall: 'ioctl', request },
      { device: this.#backend.name, arcs, failedArc: { from, to: target }, recovery: 'reset', remedy },
    )
  }

  /** The error of a failed arc, after asking the kernel where the device is; a poisoned device is not asked. */
  async #explain(
    result: number,
    failed: Edge,
    arcs: readonly Arc[],
    poisoned: boolean,
  ): Promise<VfioSystemError> {
    const { name, calls } = this.#backend
    const state = poisoned ? undefined : stateName(await calls.getState())
    if (state !== undefined) this.#session.reconcile(state)
    const stuck = state === undefined || state === 'ERROR' || state === 'RESUMING'
    return new VfioSystemError(
      result,
      { syscall: 'ioctl', request },
      {
        device: name,
        arcs,
        failedArc: { from: failed.from, to: failed.to },
        state,
        recovery: stuck ? 'reset' : 'none',
        remedy: `${failed.from} -> ${failed.to} failed. ${remedyFor(failed, state, poisoned)}`,
      },
    )
  }
}

/**
 * The edge that failed: one whose SET did, or one that was made but whose session could not be taken over. None when
 * no SET was issued: each one leaves a time.
 */
function failedEdge(steps: readonly Edge[], { result, done, session, times }: ArcsAnswer): Edge | undefined {
  if (result >= 0 || times.length < 2) return undefined
  const last = steps[done - 1]
  return last !== undefined && opensSession(last) && session === undefined ? last : steps[done]
}

/** How long a SET took, without the wait at the gate before it. */
function span({ times, passed }: ArcsAnswer, index: number, gate: number | undefined): number {
  const issued = index === gate ? passed : times[index]
  return (times[index + 1] ?? 0) - (issued ?? 0)
}

function remedyFor(failed: Edge, state: StateName | undefined, poisoned: boolean): string {
  if (poisoned) {
    return 'The device is half in the one state and half in the other; only reset() or close() help'
  }
  const now = `The device is in ${state ?? 'a state that it does not tell'}`
  // The state is there and its data_fd is not: the kernel had no fd to give (EMFILE, ENFILE).
  if (state === failed.to && opensSession(failed)) {
    return `${now}, but this process could not take over its data: raise its limits, leave the state and enter it again`
  }
  if (state === 'RESUMING') {
    return `${now}: it refused what was written to it, or not all was written. Only reset() abandons it`
  }
  if (state === 'ERROR') return `${now}: only reset() leaves it`
  return `${now}; the arcs before it stand`
}
