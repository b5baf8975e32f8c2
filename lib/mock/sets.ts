// SPDX-License-Identifier: Apache-2.0
import type { ArcsAnswer } from '../backend/seam.ts'
import { errno } from '../kernel/errno.ts'
import { savingGroup, stateName } from '../kernel/state.ts'
import type { Session } from './drivers/driver.ts'
import { MockSessionCalls, type SessionHost } from './session_calls.ts'

/** The SETs of one holder, and the sessions that they opened. */
export class Sets {
  readonly #host: SessionHost
  readonly #sessions = new Set<MockSessionCalls>()
  #count = 0
  #isClosing = false
  #isAbandoned = false

  constructor(host: SessionHost) {
    this.#host = host
  }

  /** How many succeeded. */
  get count(): number {
    return this.#count
  }

  /** One after another, until one fails; none where what a session would need cannot be had. */
  async make(states: readonly number[]): Promise<ArcsAnswer> {
    const { clock, faults } = this.#host.core
    const unprepared = states.some(mayOpenSession) ? faults.take('PREPARE_SESSION')?.errno : undefined
    const times = [clock.now()]
    let result = unprepared === undefined ? 0 : -errno[unprepared]
    let session: MockSessionCalls | undefined
    let done = 0
    for (; result === 0 && done < states.length; done++) {
      if (this.#isAbandoned) {
        result = -errno.ECANCELED
        break
      }
      const made = await this.#host.core.setState(states[done] ?? 0)
      times.push(clock.now())
      if (typeof made === 'number' && made < 0) {
        result = made
        break
      }
      this.#count++
      if (typeof made === 'number') continue
      if (this.#isClosing) result = -errno.ECANCELED
      else session = this.#open(made, session)
    }
    const all = { result, done, times: Float64Array.from(times), arc: this.#count }
    return session === undefined ? all : { ...all, session }
  }

  /** Whoever made them was killed: a list goes no further than to the end of the SET that is in the kernel. */
  abandon(): void {
    this.#isAbandoned = true
  }

  /** The device closes: its sessions end with it. Resolves when nothing of them runs any more. */
  async shutdown(): Promise<void> {
    this.#isClosing = true
    await Promise.all([...this.#sessions].map(session => session.shutdown()))
  }

  /** One that came before it in the same list was ended by the path itself. */
  #open(session: Session, before: MockSessionCalls | undefined): MockSessionCalls {
    void before?.shutdown()
    const calls = new MockSessionCalls(this.#host, session)
    this.#sessions.add(calls)
    return calls
  }
}

function mayOpenSession(number: number): boolean {
  const state = stateName(number)
  return state === 'RESUMING' || (state !== undefined && savingGroup.has(state))
}
