// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** How a child process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Compiled, whether the test itself runs from dist-test/kernel or from the guest's bundle in build/guest. */
const compiled = new URL('../../dist-test/kernel/child/', import.meta.url)

/** Runs test/kernel/child/`program`.ts in a process of its own, with `fds` as its fds 3, 4… */
export async function runChild(
  program: string,
  args: readonly string[],
  fds: readonly number[] = [],
): Promise<Ended> {
  const path = fileURLToPath(new URL(`${program}.js`, compiled))
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'pipe', ...fds] })
  const { stdout: out, stderr: err } = child
  if (out === null || err === null) throw new Error('the child has no pipes')
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const [[code, signal], stdout, stderr] = await Promise.all([closed, text(out), text(err)])
  return { code, signal, stdout, stderr }
}
