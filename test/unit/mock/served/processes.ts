// SPDX-License-Identifier: Apache-2.0
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stateNumber, type StateName } from '#lib/kernel/state.js'
import {
  serveMock,
  type MockDevice,
  type MockOptions,
  type MockServer,
  type ServeOptions,
} from 'vfio-migrate/mock'

/** Sockets and child processes of one test; all are gone when it is disposed. */
export class Processes {
  readonly #directory = mkdtempSync(join(tmpdir(), 'vfio-mock-'))
  readonly #children: ChildProcess[] = []
  readonly #servers: MockServer[] = []

  path(name: string): string {
    return join(this.#directory, name)
  }

  /** Serves a mock from this process. */
  async serve(mock: MockDevice, path: string, dies: ServeOptions['dies']): Promise<MockServer> {
    const server = await serveMock(mock, path, { dies })
    this.#servers.push(server)
    return server
  }

  /** A process that serves a mock, once it does. */
  async host(path: string, options: MockOptions, dies: ServeOptions['dies']): Promise<ChildProcess> {
    const child = this.#fork('host_process', [path, JSON.stringify(options), dies])
    await once(child, 'message')
    return child
  }

  /** A process that opens the mock at `path` and sets states, one after another in one call. */
  client(path: string, ...states: StateName[]): ChildProcess {
    return this.#fork('client_process', [path, ...states.map(state => String(stateNumber(state)))])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map(server => server.close()))
    await Promise.all(this.#children.map(kill))
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #fork(program: string, args: readonly string[]): ChildProcess {
    const child = fork(fileURLToPath(new URL(`./${program}.js`, import.meta.url)), args)
    this.#children.push(child)
    return child
  }
}

/** Ends a process at once, whatever it is in, and waits until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** Goes on when `holds` does: asked again and again, with all else in between. */
export async function eventually(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setImmediate(resolve))
}
