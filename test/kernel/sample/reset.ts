// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from 'node:fs/promises'
import { eventually } from '../bottle_wait.ts'

/**
 * Makes a reset, and resolves when that is over or waits in the driver for a command that is held: a SAVE, which mlx5 lets
 * end first. The thread that waits so is idle by the kernel's words, as no other of this process is but those of commands
 * that were held before.
 */
export async function underWay(reset: () => Promise<number>): Promise<{ readonly over: Promise<number> }> {
  const before = await idleThreads()
  let isOver = false
  const over = reset().finally(() => (isOver = true))
  await eventually(async () => isOver || (await idleThreads()).some(thread => !before.includes(thread)))
  return { over }
}

/** Threads of this process that wait in the kernel in a way that no signal ends, and that is no load: TASK_IDLE. */
async function idleThreads(): Promise<string[]> {
  const threads = await readdir('/proc/self/task')
  const states = await Promise.all(threads.map(stateOf))
  return threads.filter((_, index) => states[index] === 'I')
}

/** The letter after the name, which may have anything in it; undefined of a thread that has ended. */
async function stateOf(thread: string): Promise<string | undefined> {
  const stat = await readFile(`/proc/self/task/${thread}/stat`, 'utf8').catch(() => '')
  return /.*\) (\w)/s.exec(stat)?.[1]
}
