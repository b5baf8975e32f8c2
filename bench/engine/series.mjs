// SPDX-License-Identifier: Apache-2.0
// What is measured against what.
import { alternate } from '../alternate.mjs'
import { moveByEngine } from './engine.mjs'
import { moveByProgram } from './program.mjs'
import { moveFresh, withPairs } from './bottled_pair.mjs'

/** @typedef {{ downtimeMs: number, pausedMs: number, totalMs: number, bytes: number, precopyBytes: number, rounds: number | 'none', predictedMs?: number }} Moved */
/** @typedef {Record<string, Moved[]>} Rounds by the names of the ways, one of each a round */

const mebibyte = 2 ** 20
const warmUps = 2

/** All of the working set is dirty again before an image of it is loaded, so that every final image has its size. */
const workload = { size: 64 * mebibyte, rate: 512 * mebibyte, working_set: 8 * mebibyte }

/** Commands that take their time, µs, while no CPU works for them; the images are small. */
const deviceBound = {
  size: mebibyte,
  rate: 16 * mebibyte,
  working_set: mebibyte / 4,
  latency: {
    SUSPEND_INITIATOR: 40_000,
    SUSPEND_RESPONDER: 40_000,
    RESUME_RESPONDER: 40_000,
    RESUME_INITIATOR: 40_000,
    QUERY: 5_000,
    SAVE: 120_000,
    LOAD: 120_000,
  },
}

const linkBandwidth = 64 * mebibyte
const setSize = 4

/**
 * The engine, the C program, and the C program once more, with as many rounds of pre-copy as the engine makes.
 * @param {number} rounds @param {boolean} precopy @returns {Promise<Rounds>}
 */
function besideC(rounds, precopy) {
  return withPairs(1, workload, async pairs => {
    /** @type {Moved} */
    let last
    const engine = async () => {
      last = await moveFresh(pairs, moveByEngine, precopy ? {} : { precopy })
      return last
    }
    const program = async () => {
      const moved = await moveFresh(pairs, moveByProgram, precopy ? last.rounds : 'none')
      checkWork(last, moved)
      return moved
    }
    return await alternate(rounds, { engine, program, again: program }, warmUps)
  })
}

/** What is moved while a device stands decides how long that takes. @param {Moved} one @param {Moved} other */
function checkWork(one, other) {
  const [ours, theirs] = [one, other].map(({ bytes, precopyBytes }) => bytes - precopyBytes)
  if (Math.abs(ours - theirs) > theirs / 20)
    throw new Error(`the engine moved ${ours} bytes of a device that stood, the C program ${theirs}`)
}

/** A set beside one of its devices, where the devices are what takes the time. @param {number} rounds @returns {Promise<Rounds>} */
function setBesideOne(rounds) {
  return withPairs(setSize, deviceBound, pairs => {
    const one = () => moveFresh(pairs.slice(0, 1), moveByEngine, {})
    const set = () => moveFresh(pairs, moveByEngine, {})
    return alternate(rounds, { one, set }, warmUps)
  })
}

/** With pre-copy and without, over a link that is slower than the devices. @param {number} rounds @returns {Promise<Rounds>} */
function precopyBesideNone(rounds) {
  return withPairs(1, workload, pairs => {
    const link = { bandwidth: linkBandwidth }
    const precopy = () => moveFresh(pairs, moveByEngine, link)
    const none = () => moveFresh(pairs, moveByEngine, { ...link, precopy: false })
    return alternate(rounds, { precopy, none }, warmUps)
  })
}

/** @type {Record<string, (rounds: number) => Promise<Rounds>>} */
export const series = {
  precopy: rounds => besideC(rounds, true),
  stopped: rounds => besideC(rounds, false),
  set: setBesideOne,
  link: precopyBesideNone,
}
