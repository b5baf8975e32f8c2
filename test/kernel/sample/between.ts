// SPDX-License-Identifier: Apache-2.0
// What goes wrong between the library and a kernel's device without its firmware: the faults of a mock that no knob has.
import type { ArcsAnswer, DeviceBackend, DeviceCalls } from '#lib/backend/seam.js'
import { savingGroup, stateName } from '#lib/kernel/state.js'
import type { NamedPoint } from '#lib/mock/faults.js'
import type { Fault } from '#lib/mock/index.js'
import { Plan } from './plan.ts'
import { TroubledSession } from './troubled_session.ts'

/** The points that are had here. */
export const pointsBetween: ReadonlySet<string> = new Set<NamedPoint>([
  ...(['READ', 'WRITE', 'PRECOPY_INFO', 'STREAM'] as const),
  ...(['PREPARE_SESSION', 'INSTALL_FD'] as const),
])

/** A device as somebody else has it, and what stands in between. */
export class Between {
  readonly #plan: Plan

  constructor(faults: readonly Fault[]) {
    this.#plan = new Plan(faults)
  }

  /** The faults that nobody has come to. */
  get missed(): string[] {
    return this.#plan.points
  }

  /**
   * The backend for one case: closing it leaves the device to those who have it. By a name that is no address nobody asks
   * devlink about it, which would take most of the time.
   */
  backend(own: DeviceBackend, how: Pick<DeviceBackend, 'name' | 'origin'>): DeviceBackend {
    const close = (): Promise<void> => Promise.resolve()
    const troubles = this.#plan.points.length === 0 ? { close } : { ...this.#troubles(own.calls), close }
    return { ...own, ...how, calls: instead(own.calls, troubles) }
  }

  #troubles(calls: DeviceCalls): Partial<DeviceCalls> {
    const setStatesFrom = calls.setStatesFrom?.bind(calls)
    return {
      setStates: async (states, gate) => await this.#set(states, () => calls.setStates(states, gate)),
      ...(setStatesFrom && {
        setStatesFrom: async (states, from, gate) =>
          await this.#set(states, () => setStatesFrom(states, from, gate)),
      }),
    }
  }

  async #set(states: readonly number[], set: () => Promise<ArcsAnswer>): Promise<ArcsAnswer> {
    const plan = this.#plan
    const unprepared = states.some(opensSession) ? plan.errnoAt('PREPARE_SESSION') : 0
    if (unprepared < 0) return { result: unprepared, done: 0, times: Float64Array.of(0), arc: 0 }
    const answer = await set()
    const { session } = answer
    if (session === undefined) return answer
    const uninstalled = plan.errnoAt('INSTALL_FD')
    if (uninstalled === 0) return { ...answer, session: new TroubledSession(session, plan) }
    // The kernel lets go of the session when it cannot be given to the process.
    await session.close()
    const { done, times, arc } = answer
    return { result: uninstalled, done: done - 1, times, arc: arc - 1 }
  }
}

function opensSession(number: number): boolean {
  const state = stateName(number)
  return state === 'RESUMING' || (state !== undefined && savingGroup.has(state))
}

/** The calls of `own`, and those of `others` in their place. */
function instead<T extends object>(own: T, others: Partial<T>): T {
  return new Proxy(own, {
    get(target, name) {
      const value: unknown = Reflect.get(name in others ? others : target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
