// SPDX-License-Identifier: Apache-2.0

/** Where time comes from. Every backend brings its own, so that a simulated device can run on simulated time. */
export interface Clock {
  /** Milliseconds since an arbitrary moment; never runs backwards. */
  now(): number
}

/** The machine's monotonic clock: the one that the addon stamps its arcs with (CLOCK_MONOTONIC). */
export const monotonicClock: Clock = {
  now: () => Number(process.hrtime.bigint()) / 1e6,
}
