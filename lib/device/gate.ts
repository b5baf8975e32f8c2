// SPDX-License-Identifier: Apache-2.0
import type { ArcsAnswer, Barrier, DeviceCalls, Gate } from '../backend/seam.ts'

/** A barrier of the event loop, for devices whose backends have none in common. @internal */
export class LoopBarrier implements Barrier {
  #missing: number
  readonly #isOpen: Promise<boolean>
  #decide!: (isOpen: boolean) => void

  constructor(parties: number) {
    this.#missing = parties
    this.#isOpen = new Promise(resolve => (this.#decide = resolve))
  }

  /** Resolves with true when all have come, with false when it was broken before. */
  async come(): Promise<boolean> {
    if (--this.#missing === 0) this.#decide(true)
    return await this.#isOpen
  }

  break(): void {
    this.#decide(false)
  }
}

/** `setStates` with a gate of whichever kind, after a GET in the same breath where `from` is given. @internal */
export async function setStates(
  calls: DeviceCalls,
  states: readonly number[],
  gate: Gate | undefined,
  from?: number,
): Promise<ArcsAnswer> {
  if (from !== undefined && calls.setStatesFrom) return await calls.setStatesFrom(states, from, gate)
  if (!(gate?.barrier instanceof LoopBarrier)) return await calls.setStates(states, gate)
  return await inTwoParts(calls, states, gate.barrier, gate.before)
}

async function inTwoParts(
  calls: DeviceCalls,
  states: readonly number[],
  barrier: LoopBarrier,
  before: number,
): Promise<ArcsAnswer> {
  try {
    const head = await calls.setStates(states.slice(0, before))
    if (head.result < 0 || !(await barrier.come())) return head
    return joined(head, await calls.setStates(states.slice(before)))
  } finally {
    // Nobody waits for one that did not come.
    barrier.break()
  }
}

/** As if both had been one list: the second begins where the gate was passed. */
function joined(head: ArcsAnswer, tail: ArcsAnswer): ArcsAnswer {
  const [passed = 0, ...answered] = tail.times
  const times = head.done === 0 ? [passed, ...answered] : [...head.times, ...answered]
  return { ...head, ...tail, done: head.done + tail.done, times: Float64Array.from(times), passed }
}
