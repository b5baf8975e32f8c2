// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Another process that has a node open, until it is disposed of. */
export interface Holder extends AsyncDisposable {
  readonly pid: number
}

/** Starts a shell that opens `node` and waits. Resolves when it has it open. */
export async function startHolder(node: string): Promise<Holder> {
  const script = 'exec 3<>"$1" && echo open && read -r _'
  const shell = spawn('/bin/sh', ['-c', script, 'sh', node], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = once(shell, 'close')
  await Promise.race([
    once(shell.stdout, 'data'),
    gone.then(() => Promise.reject(new Error('it did not open'))),
  ])
  return {
    pid: shell.pid ?? 0,
    async [Symbol.asyncDispose]() {
      shell.stdin.end()
      await gone
    },
  }
}
