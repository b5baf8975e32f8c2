// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import type { Device } from '../index.ts'
import { isTerminal, type Context } from './context.ts'

/**
 * Runs a program that inherits the device's fds, from 3 on; their numbers and the device's name are in its environment.
 * Answers its exit status.
 */
export async function runWithDevice(program: string, device: Device, context: Context): Promise<number> {
  const { numbers, env } = inheritance(device)
  const { stdout, stderr } = context.io
  // With --json stdout is the JSON's.
  const outputs = [context.json ? stderr : stdout, stderr]
  const stdio: StdioOptions = [0, ...outputs.map(ownFd), ...numbers]
  const child = spawn(program, context.execArguments, { stdio, env: { ...process.env, ...env } })
  pipeUp(child.stdout, outputs[0])
  pipeUp(child.stderr, outputs[1])
  const stopForwarding = forwardSignals(child, context)
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    return code ?? 128 + constants.signals[signal ?? 'SIGKILL']
  } finally {
    stopForwarding()
  }
}

const variables = {
  device: 'VFIO_MIGRATE_DEVICE_FD',
  iommufd: 'VFIO_MIGRATE_IOMMUFD',
  group: 'VFIO_MIGRATE_GROUP_FD',
  container: 'VFIO_MIGRATE_CONTAINER_FD',
} as const

const firstInherited = 3

function inheritance(device: Device): { numbers: number[]; env: Record<string, string> } {
  const lent = device.lend()
  const names = (Object.keys(variables) as (keyof typeof variables)[]).filter(
    name => lent[name] !== undefined,
  )
  const env = Object.fromEntries(
    names.map((name, index) => [variables[name], String(firstInherited + index)]),
  )
  return {
    numbers: names.map(name => lent[name] ?? -1),
    env: { ...env, VFIO_MIGRATE_DEVICE: device.name },
  }
}

/** The process's own stdout and stderr are inherited; any other stream is written to. */
function ownFd(stream: Writable): number | 'pipe' {
  return 'fd' in stream && typeof stream.fd === 'number' ? stream.fd : 'pipe'
}

function pipeUp(from: Readable | null, to: Writable | undefined): void {
  if (from && to) from.pipe(to, { end: false })
}

/** A terminal sends Ctrl-C to the program as well; what is sent to this process alone is passed on. */
function forwardSignals(child: ChildProcess, { io }: Context): () => void {
  const stop = io.divertSignals?.(name => {
    if (name !== 'SIGINT' || !isTerminal(io.stderr)) child.kill(name)
  })
  return stop ?? (() => undefined)
}
