// SPDX-License-Identifier: Apache-2.0
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { spawnPreloaded, statusOf, type RunOptions } from '../suite.js'

const program = fileURLToPath(new URL('main.js', import.meta.url))

export interface StressOptions extends RunOptions {
  readonly seed: number
  /** How long, or else for how many lives of each thread. */
  readonly seconds?: number
  readonly lives?: number
}

export interface Stressed {
  /** 0 when all was well. */
  readonly status: number | string
  /** What it did, or what was not well. */
  readonly output: string
}

/** Runs main.ts, in a process of its own with the fake kernel preloaded. */
export async function runStress({ seed, seconds, lives, ...options }: StressOptions): Promise<Stressed> {
  const length = seconds === undefined ? `--lives=${lives}` : `--seconds=${seconds}`
  const child = spawnPreloaded([program, `--seed=${seed}`, length], options)
  const [status, stdout, stderr] = await Promise.all([
    statusOf(child),
    text(child.stdout),
    text(child.stderr),
  ])
  return { status, output: stdout + stderr }
}
