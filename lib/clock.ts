// SPDX-License-Identifier: Apache-2.0

/** Takes a wait back; without effect when it is over. */
export type CancelWait = () => void

/** Where time comes from. Every backend brings its own, so that a simulated device can run on simulated time. */
export interface Clock {
  /** Milliseconds since an arbitrary moment; never runs backwards. */
  now(): number
  /** Calls `then` once, `ms` milliseconds from now; never before this call has returned. */
  after(ms: number, then: () => void): CancelWait
}

/** The machine's monotonic clock: the one that the addon stamps its arcs with (CLOCK_MONOTONIC). */
export const monotonicClock: Clock = {
  now: () => Number(process.hrtime.bigint()) / 1e6,
  after: (ms, then) => waitFor(monotonicClock.now() + ms, then),
}

/** Resolves `ms` milliseconds from now on `clock`; at once where that is no time. */
export async function sleep(clock: Clock, ms: number): Promise<void> {
  if (ms > 0) await new Promise<void>(resolve => clock.after(ms, resolve))
}

/** Node's timers count milliseconds in 31 bits, and fire at once for more. */
export const longestTimer: number = 2 ** 31 - 1

/**
 * Timers count whole milliseconds: the rest is waited for turn by turn, so that 0.2 ms are not 1 ms. What is more than a
 * timer can count is waited for again.
 */
function waitFor(end: number, then: () => void): CancelWait {
  let cancel: CancelWait
  const look = (): void => {
    const left = end - monotonicClock.now()
    if (left <= 0) then()
    else wait(left)
  }
  const wait = (left: number): void => {
    if (left >= 2) {
      const timer = setTimeout(look, Math.min(left - 1, longestTimer))
      cancel = () => clearTimeout(timer)
    } else {
      const turn = setImmediate(look)
      cancel = () => clearImmediate(turn)
    }
  }
  wait(Math.max(0, end - monotonicClock.now()))
  return () => cancel()
}
