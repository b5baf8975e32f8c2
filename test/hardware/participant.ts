// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { DeviceFds } from '#lib/backend/seam.js'

/**
 * Whoever can give a device state and read it back: docs/hardware.md has the protocol. The command has the device's
 * fd as its fd 3, and the iommufd, or group and container, behind it.
 */
export interface Participant {
  write(name: string, fds: DeviceFds): Promise<void>
  /** What stands for the state, in one line. */
  read(name: string, fds: DeviceFds): Promise<string>
}

const mostCharacters = 65_536

/** The end of the command and of all that it started, which would keep the device open: by force when the time is over. */
class Ending {
  readonly #child: ChildProcess
  readonly #timer: NodeJS.Timeout
  #reason: string | undefined

  constructor(child: ChildProcess, milliseconds: number) {
    this.#child = child
    this.#timer = setTimeout(() => this.force(`has not ended after ${milliseconds / 1000} s`), milliseconds)
    process.once('exit', this.#kill)
  }

  get reason(): string | undefined {
    return this.#reason
  }

  force(reason: string): void {
    this.#reason ??= reason
    this.#kill()
    // Who has left the group may have the pipe still.
    this.#child.stdout?.destroy()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    process.removeListener('exit', this.#kill)
  }

  readonly #kill = (): void => {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // nobody is left
    }
  }
}

async function run(
  command: string,
  milliseconds: number,
  [verb, name, fds]: readonly [verb: string, name: string, fds: DeviceFds],
): Promise<string> {
  const { device, iommufd, group, container } = fds
  const passed = [device, iommufd, group, container].filter(fd => fd !== undefined)
  const args = ['-c', `${command} "$@"`, 'participant', verb, name]
  // A process group of its own, so that it can be ended whole.
  const child = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit', ...passed], detached: true })
  if (child.stdout === null) throw new Error('the participant has no pipe')
  using ending = new Ending(child, milliseconds)
  let answer = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    answer += text
    if (answer.length > mostCharacters) ending.force(`printed more than ${mostCharacters} characters`)
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  const failure = ending.reason ?? (code === 0 ? undefined : `ended with ${String(signal ?? code)}`)
  if (failure !== undefined) throw new Error(`participant ${verb} ${name} ${failure}`)
  return answer.trim()
}

/** `milliseconds`: how long the command may take each time. */
export function participant(command: string, milliseconds = 60_000): Participant {
  return {
    async write(name, fds) {
      await run(command, milliseconds, ['write', name, fds])
    },
    async read(name, fds) {
      const line = await run(command, milliseconds, ['read', name, fds])
      if (line === '' || line.includes('\n'))
        throw new Error(`participant read ${name} printed no one line: '${line.slice(0, 200)}'`)
      return line
    },
  }
}
