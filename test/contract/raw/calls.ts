// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Controls, IoctlAnswer, RawDataFd, SecondFd } from '../subject.ts'

/** Found from wherever this code was compiled or bundled to. */
function sourceFile(): string {
  const path = 'test/contract/raw/calls.c'
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, path))) {
    if (directory === '/') throw new Error(`there is no ${path} above ${import.meta.url}`)
    directory = dirname(directory)
  }
  return join(directory, path)
}

let program: string | undefined

/** Compiled once, by the machine's own compiler. */
function compiled(): string {
  if (program !== undefined) return program
  const path = join(mkdtempSync(join(tmpdir(), 'vfio-raw-')), 'calls')
  const cc = spawnSync('cc', ['-O1', '-o', path, sourceFile()], { encoding: 'utf8' })
  if (cc.status !== 0) throw new Error(`cc of the raw calls failed\n${cc.stderr}${cc.error ?? ''}`)
  return (program = path)
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** What one call printed. */
function ask(fd: number, ...args: string[]): string {
  const child = spawnSync(compiled(), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit', fd] })
  if (child.status !== 0)
    throw new Error(`calls ${args.join(' ')} ended with ${child.signal ?? child.status}`)
  return child.stdout.trim()
}

const number = (fd: number, ...args: string[]): Promise<number> => Promise.resolve(Number(ask(fd, ...args)))

/** An ioctl with these bytes behind its pointer, or with a null pointer. It may take its time. */
export async function rawIoctl(fd: number, request: number, bytes?: Uint8Array): Promise<IoctlAnswer> {
  const args = ['ioctl', `0x${request.toString(16)}`, ...(bytes ? [hex(bytes)] : [])]
  const child = spawn(compiled(), args, { stdio: ['ignore', 'pipe', 'inherit', fd] })
  if (child.stdout === null) throw new Error('the child has no pipe')
  const ended = once(child, 'close')
  const [result, after = ''] = (await text(child.stdout)).trim().split(' ')
  const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null]
  if (code !== 0) throw new Error(`calls ${args.join(' ')} ended with ${signal ?? code}`)
  return { result: Number(result), bytes: Buffer.from(after, 'hex') }
}

const [deviceFeature, deviceReset] = [0x3b75, 0x3b6f]
const [getFlags, getState, setState] = [0x10001, 0x10002, 0x20002]

function featureRequest(flags: number, first: number): Buffer {
  const request = Buffer.alloc(16)
  request.writeUInt32LE(16, 0)
  request.writeUInt32LE(flags, 4)
  request.writeUInt32LE(first, 8)
  return request
}

/** VFIO_DEVICE_FEATURE with 8 bytes of data; answers its first number. */
async function feature(fd: number, flags: number, first = 0): Promise<number> {
  const { result, bytes } = await rawIoctl(fd, deviceFeature, featureRequest(flags, first))
  return result < 0 ? result : Buffer.from(bytes).readUInt32LE(8)
}

/** The device through an fd that another process has: each call is made by one, with an fd that it inherited. */
export const inheritedFd = (fd: number): SecondFd => ({
  flags: () => feature(fd, getFlags),
  getState: () => feature(fd, getState),
  setState: async state => Math.min(await feature(fd, setState, state), 0),
  reset: async () => (await rawIoctl(fd, deviceReset)).result,
  close: () => Promise.resolve(),
})

function blockingRead(fd: number, maxBytes: number): { reached: Promise<void>; result: Promise<number> } {
  const child = spawn(compiled(), ['read', String(maxBytes)], { stdio: ['ignore', 'pipe', 'inherit', fd] })
  const { stdout } = child
  if (stdout === null) throw new Error('the child has no pipe')
  const lines = createInterface(stdout)[Symbol.asyncIterator]()
  const reached = lines.next()
  const result = reached.then(() => lines.next())
  return { reached: reached.then(() => undefined), result: result.then(({ value }) => Number(value)) }
}

/** SETs that the seam would never make. */
export function oddSets(fd: () => number): Pick<Controls, 'setWithoutFd' | 'setReadOnly'> {
  const set = (how: string) => (state: number): Promise<number> => {
    const answer = ask(fd(), how, String(deviceFeature), hex(featureRequest(setState, state)))
    return Promise.resolve(Number(answer.split(' ')[0]))
  } // prettier-ignore
  return { setWithoutFd: set('ioctl-without-fd'), setReadOnly: set('ioctl-read-only') }
}

/** What a link in /proc/self/fd says of each driver's data_fd. */
const dataFdName = /^anon_inode:.*(_mig|_lm)/

/** The one data_fd that this process has open. */
export function dataFd(): number {
  const found = readdirSync('/proc/self/fd').filter(fd => {
    try {
      return dataFdName.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false // the fd of the directory itself
    }
  })
  if (found.length !== 1) throw new Error(`there are ${found.length} data_fds open, not one`)
  return Number(found[0])
}

/** What poll(2) says of the data_fd. */
export const pollDataFd = (): Promise<number> => number(dataFd(), 'poll')

/** Raw calls on an fd of this process. */
export function rawCalls(fd: number): RawDataFd {
  return {
    link: readlinkSync(`/proc/self/fd/${fd}`),
    openFlags: parseInt(
      /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '',
      8,
    ),
    lseek: () => number(fd, 'lseek'),
    pread: () => number(fd, 'pread'),
    pwrite: () => number(fd, 'pwrite'),
    epollAdd: () => number(fd, 'epoll'),
    spliceOut: () => number(fd, 'splice'),
    write: bytes => number(fd, 'write', hex(bytes)),
    ioctl: (request, bytes) => rawIoctl(fd, request, bytes),
    blockingRead: maxBytes => blockingRead(fd, maxBytes),
  }
}
