// SPDX-License-Identifier: Apache-2.0
// Sixteen sessions over the fake kernel, opened, read, written, aborted, destroyed, closed and reset in any order from the
// main thread and two worker threads, of which one or the other is terminated with everything under way. Nothing may come to
// no end, no byte may be wrong, and afterwards nothing of it may be left.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { kernel } from '../preloaded/kernel.js'
import { belongings, nothingIsLeft } from './belongings.js'
import { Crew } from './crew.js'
import { powerOn } from './devices.js'
import { Dice } from './dice.js'
import { firmware } from './firmware.js'
import { Tally } from './tally.js'
import { stuckPipe } from './pumping.js'
import { liveInWorker } from './worker_life.js'

/** The devices of each thread; the first is this one. */
const crews = [
  [0, 1, 2, 3, 4, 5],
  [6, 7, 8, 9, 10],
  [11, 12, 13, 14, 15],
]

/** Operations that each holder begins in one life. */
const operationsPerLife = 40

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    lives: { type: 'string', default: '1' },
    seconds: { type: 'string' },
  },
})
const seed = Number(values.seed)
const directory = mkdtempSync(join(tmpdir(), 'vfio-stress-'))
const tally = new Tally()

async function liveHere(devices: readonly number[], life: number): Promise<void> {
  const crew = new Crew({ seed: [seed, 0, life], devices, directory, tally })
  await crew.work(operationsPerLife)
  await crew.finish()
}

/** One life after another, of each thread for itself, while `goesOn`. */
async function live(first: number, goesOn: (life: number) => boolean): Promise<void> {
  let left = crews.length
  const lives = crews.map(async (devices, thread) => {
    try {
      for (let life = first; goesOn(life); life++) {
        if (thread === 0) await liveHere(devices, life)
        else
          await liveInWorker({
            seed: [seed, thread, life],
            devices,
            directory,
            memory: tally.memory,
            operationsPerLife,
          })
      }
    } finally {
      left--
    }
  })
  const dice = new Dice(seed, crews.length, first)
  await Promise.all([...lives, firmware(dice, () => left === 0)])
  kernel.tell('obey')
}

const begunAt = performance.now()
const isEarly = (): boolean => performance.now() - begunAt < Number(values.seconds) * 1000
const counted = Number(values.lives)

try {
  // Without what is preloaded here.
  execFileSync('mkfifo', [stuckPipe(directory)], { env: { PATH: process.env.PATH } })
  powerOn()
  // Whatever Node itself makes when it is first needed is there after one life.
  await live(0, life => life < 1)
  await nothingIsLeft(directory, belongings(directory))
  const before = belongings(directory)
  await live(1, values.seconds === undefined ? life => life <= counted : isEarly)
  await nothingIsLeft(directory, before)
  assert.deepEqual(kernel.lines('MISMATCH'), [])
  console.log(`seed ${seed}: ${tally.begun} operations, good and begun: ${String(tally)}`)
} catch (error) {
  console.error(`seed ${seed}:`, error)
  process.exit(1)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
