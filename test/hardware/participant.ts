// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
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

async function run(command: string, verb: string, name: string, fds: DeviceFds): Promise<string> {
  const { device, iommufd, group, container } = fds
  const passed = [device, iommufd, group, container].filter(fd => fd !== undefined)
  const args = ['-c', `${command} "$@"`, 'participant', verb, name]
  const child = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit', ...passed] })
  if (child.stdout === null) throw new Error('the participant has no pipe')
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const [answer, [code, signal]] = await Promise.all([text(child.stdout), closed])
  if (code === 0) return answer.trim()
  throw new Error(`participant ${verb} ${name} ended with ${String(signal ?? code)}`)
}

export function participant(command: string): Participant {
  return {
    async write(name, fds) {
      await run(command, 'write', name, fds)
    },
    async read(name, fds) {
      const line = await run(command, 'read', name, fds)
      if (line === '' || line.includes('\n'))
        throw new Error(`participant read ${name} printed no one line: '${line}'`)
      return line
    },
  }
}
