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

/** A child process that is under way. */
export interface Child {
  readonly pid: number
  /** Resolves when it has ended and closed what it had open. */
  readonly ended: Promise<Ended>
  kill(signal: NodeJS.Signals): void
}

/** Starts test/kernel/child/`program`.ts in a process of its own, with `fds` as its fds 3, 4… */
export function startChild(program: string, args: readonly string[], fds: readonly number[] = []): Child {
  const path = fileURLToPath(new URL(`${program}.js`, compiled))
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'pipe', ...fds] })
  const { stdout: out, stderr: err, pid } = child
  if (out === null || err === null || pid === undefined) throw new Error('the child was not started')
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const ended = Promise.all([closed, text(out), text(err)]).then(([[code, signal], stdout, stderr]) => {
    return { code, signal, stdout, stderr }
  })
  return { pid, ended, kill: signal => child.kill(signal) }
}

/** Runs it until it has ended. */
export async function runChild(
  program: string,
  args: readonly string[],
  fds: readonly number[] = [],
): Promise<Ended> {
  return await startChild(program, args, fds).ended
}
