// SPDX-License-Identifier: Apache-2.0
// The C program beside which the engine is measured, on devices that stay this process's.
import { answerOf } from '../answer.mjs'

/** As much as the engine reads at once. */
const readBytes = 2 ** 20

/**
 * @param {import('./bottled_pair.mjs').BottledPair[]} pairs one
 * @param {number | 'none'} rounds of pre-copy after the initial image, or none of it
 */
export async function moveByProgram([pair], rounds) {
  const program = process.env.VFIO_MIGRATE_BENCH_MOVE ?? ''
  const fds = [pair.source, pair.destination].map(device => device.lend().device)
  const answer = await answerOf([program, '3', '4', String(rounds), String(readBytes)], { fds })
  return { ...answer, rounds }
}
