// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scenario } from './scenario.js'

/** What a pipe holds, unless told. */
export const pipeBytes = 65536

let directory: string
const fds = new Set<number>()
const cleanups: (() => void)[] = []

/** As scenario(), with a directory for it and what it opens; nothing that a pump has opened may be left. */
export function pumped(sentence: string, body: () => Promise<void>): void {
  scenario(sentence, async () => {
    directory = mkdtempSync(join(tmpdir(), 'vfio-pump-'))
    try {
      await body()
    } finally {
      for (const fd of fds) closeFile(fd)
      for (const cleanup of cleanups.splice(0)) cleanup()
      rmSync(directory, { recursive: true })
    }
  })
}

/** Where a file of the scenario's is. */
export const file = (name: string): string => join(directory, name)

/** It is closed at the end of the scenario where the scenario did not. */
export function openFile(path: string, flags: string | number): number {
  const fd = openSync(path, flags)
  fds.add(fd)
  return fd
}

export function closeFile(fd: number): void {
  fds.delete(fd)
  closeSync(fd)
}

/** fds of this process. */
export const fdCount = (): number => readdirSync('/proc/self/fd').length

/** Where a new pipe is. */
export function fifo(): string {
  const path = file('pipe')
  execFileSync('mkfifo', [path])
  return path
}

/** Both ends of a pipe; those who use them wait, unless told. */
export function pipe(flags = 0): { reader: number; writer: number } {
  const path = fifo()
  const reader = openFile(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openFile(path, constants.O_WRONLY | flags)
  rmSync(path)
  return { reader, writer }
}

/** Ways to have a pipe: its flags, and whether it is not ours to open anew. */
export const pipes = [
  ['blocks', 0, false],
  ['blocks and is not ours to open', 0, true],
  ['does not block', constants.O_NONBLOCK, false],
] as const

/** All that is in the pipe now. */
export function takeFrom(reader: number): Buffer {
  const chunks: Buffer[] = []
  for (;;) {
    const chunk = Buffer.alloc(1 << 20)
    try {
      const count = readSync(reader, chunk)
      if (count === 0) return Buffer.concat(chunks)
      chunks.push(chunk.subarray(0, count))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return Buffer.concat(chunks)
      throw error
    }
  }
}

/** Both ends of a pair of sockets; the fd does not block, and Node does not read from it. */
export async function sockets(): Promise<{ far: Socket; fd: number }> {
  const server: Server = createServer({ pauseOnConnect: true }).listen(file('socket'))
  await once(server, 'listening')
  const far = connect(file('socket'))
  const [near] = (await once(server, 'connection')) as [Socket]
  cleanups.push(() => [near.destroy(), far.destroy(), server.close()])
  const { fd } = (near as unknown as { _handle: { fd: number } })._handle
  return { far, fd }
}
