// SPDX-License-Identifier: Apache-2.0
import type { MockClock } from './clock.ts'

/** Those who wait for something to change, as on a wait queue of the kernel. */
export class WaitQueue {
  #waiters: (() => void)[] = []

  /** Whoever waits looks again. */
  wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const look of waiters) look()
  }

  /** Calls `look` at the next wake. */
  add(look: () => void): void {
    this.#waiters.push(look)
  }
}

/** Resolves with what `ready` answers first that is not undefined: asked now, and whenever `queue` is woken. */
export async function until<T>(queue: WaitQueue, ready: () => T | undefined): Promise<T> {
  for (;;) {
    const answer = ready()
    if (answer !== undefined) return answer
    await new Promise<void>(resolve => queue.add(resolve))
  }
}

/** As {@link until}, but undefined when `ms` have passed. */
export async function untilTimeout<T>(
  queue: WaitQueue,
  ready: () => T | undefined,
  clock: MockClock,
  ms: number,
): Promise<T | undefined> {
  let over = false
  const expire = (): void => {
    over = true
    queue.wake()
  }
  const cancel = ms === Infinity ? () => undefined : clock.after(ms, expire)
  try {
    const answer = await until(queue, () => ready() ?? (over ? nothing : undefined))
    return answer === nothing ? undefined : answer
  } finally {
    cancel()
  }
}

const nothing = Symbol('nothing')
