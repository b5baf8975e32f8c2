// SPDX-License-Identifier: Apache-2.0
// What is measured: one call.
import { migrate } from 'vfio-migrate'

/** @typedef {import('./bottled_pair.mjs').BottledPair} BottledPair */

/**
 * Any prediction meets this limit, so that the engine switches as soon as another round gains nothing: how many rounds
 * that takes is in its report, and the C program makes as many.
 */
const downtimeLimitMs = 60_000

/**
 * Moves the devices of the pairs as one set.
 * @param {BottledPair[]} pairs
 * @param {{ precopy?: boolean, bandwidth?: number }} options bandwidth: bytes a second
 */
export async function moveByEngine(pairs, options) {
  const from = pairs.map(({ source }) => source)
  const to = pairs.map(({ destination }) => destination)
  const report = await migrate({ from, to, ...options, downtimeLimitMs })
  const { downtimeMs, totalMs, bytes, precopyBytes, downtime: parts, predicted } = report
  const rounds = report.rounds.length
  const phases = Object.fromEntries(report.phases.map(({ phase, ms }) => [phase, ms]))
  const predictedMs = predicted?.downtimeMs
  return { downtimeMs, totalMs, bytes, precopyBytes, rounds, parts, phases, predictedMs }
}
