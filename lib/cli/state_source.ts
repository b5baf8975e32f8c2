// SPDX-License-Identifier: Apache-2.0
import { constants, fstatSync, openSync, read } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { isatty } from 'node:tty'
import { promisify } from 'node:util'
import { isTerminal, type Context } from './context.ts'
import { naming } from './file_error.ts'
import { UsageError } from './refusals.ts'

const fsRead = promisify(read)

const mebibyte = 1024 * 1024
/** What a pipe holds, unless told. */
const pipeBytes = 64 * 1024

/** A saved state to be loaded, of which the first bytes are there already. */
export interface StateSource {
  readonly first: Buffer
  /** What is behind them: an fd that has it, or chunk by chunk. */
  readonly rest: number | AsyncIterable<Buffer>
  close(): void
}

/** Opens the source and waits for its first bytes before any device is touched. `-` is stdin. */
export async function openSource(input: string, context: Context): Promise<StateSource> {
  const source = input === '-' ? await stdinOf(context) : await fileOf(input)
  if (source.first.length > 0) return source
  source.close()
  throw new UsageError(`${input === '-' ? 'stdin' : `'${input}'`} is empty: it holds no state of a device`)
}

async function stdinOf({ io }: Context): Promise<StateSource> {
  const { stdinFd: fd } = io
  if (fd === undefined ? isTerminal(io.stdin) : isatty(fd))
    throw new UsageError('nobody types the state of a device: name a file, or pipe one in')
  const facts = fd === undefined ? undefined : fstatSync(fd)
  if (fd !== undefined && facts?.isFile()) return await fileFrom(fd, () => undefined)
  if (fd !== undefined && (facts?.isFIFO() || facts?.isSocket())) return await pipeFrom(fd)
  return await streamFrom(io.stdin)
}

async function fileOf(path: string): Promise<StateSource> {
  const facts = await naming(path, 'read', stat(path))
  if (facts.isDirectory())
    throw new UsageError(`'${path}' is a directory: name the file that holds the state`)
  // Opening it waits for its writer, and blocks a thread that cannot be ended; the event loop can wait and be told.
  if (facts.isFIFO()) return await pipeFrom(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK))
  const file = await naming(path, 'read', open(path))
  return await naming(
    path,
    'read',
    fileFrom(file.fd, () => void file.close()),
  )
}

async function fileFrom(fd: number, close: () => void): Promise<StateSource> {
  const memory = Buffer.allocUnsafeSlow(mebibyte)
  try {
    const { bytesRead } = await fsRead(fd, memory, 0, memory.length, null)
    return { first: memory.subarray(0, bytesRead), rest: fd, close }
  } catch (error) {
    close()
    throw error
  }
}

/** Takes no more of it than the first bytes that come. */
async function pipeFrom(fd: number): Promise<StateSource> {
  const buffer = Buffer.allocUnsafeSlow(pipeBytes)
  return await new Promise((resolve, reject) => {
    const take = (bytes: number): false => {
      resolve({ first: buffer.subarray(0, bytes), rest: fd, close: () => void socket.destroy() })
      // It is not read from any more.
      return false
    }
    const options = { fd, readable: true, writable: false, onread: { buffer, callback: take } }
    const socket = new Socket(options)
    socket.once('error', reject).once('end', () => take(0))
  })
}

async function streamFrom(stream: Readable): Promise<StateSource> {
  const chunks = filledOf(stream)
  const { done, value } = await chunks.next()
  return { first: done ? Buffer.of() : value, rest: chunks, close: () => void stream.destroy() }
}

async function* filledOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of stream) if (chunk.length > 0) yield chunk
}
