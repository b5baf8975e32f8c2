// SPDX-License-Identifier: Apache-2.0
import type { RoundSample } from './progress.ts'

/** The least and the most that is waited, in ms. */
const limits = { least: 1000, most: 10_000 }

/**
 * How long the first byte of an image that was promised is waited for, in ms. An image takes about as long as the ones
 * before it, and one that never comes must not hold everybody up.
 */
export function promiseWaitMs(samples: readonly RoundSample[]): number {
  if (samples.length === 0) return limits.most
  const longest = Math.max(...samples.map(({ askMs, firstByteMs }) => Math.max(askMs, firstByteMs)))
  return Math.min(limits.most, Math.max(limits.least, 4 * longest))
}
