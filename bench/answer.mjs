// SPDX-License-Identifier: Apache-2.0
// A program that is measured: a process of its own, which answers a line of JSON.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** Nothing that is measured takes as long. */
const longestMs = 300_000

/**
 * @param {string[]} command
 * @param {{ env?: Record<string, string>, fds?: number[], cwd?: string }} [how] the program's fds from 3 on
 */
export async function answerOf([program = '', ...args], { env = {}, fds = [], cwd } = {}) {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', ...fds],
    timeout: longestMs,
    killSignal: 'SIGKILL',
  })
  const [[code, signal], answer] = await Promise.all([once(child, 'close'), text(child.stdout)])
  if (code !== 0) throw new Error(`${[program, ...args].join(' ')} has ended with ${signal ?? code}`)
  return JSON.parse(answer)
}
