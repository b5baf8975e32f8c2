// SPDX-License-Identifier: Apache-2.0
import { constants, openSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { isTerminal, type Context } from './context.ts'
import { naming } from './file_error.ts'
import { UsageError } from './refusals.ts'

const mebibyte = 1024 * 1024

/** A saved state to be loaded, of which the first bytes are there already. */
export interface StateSource {
  chunks(): AsyncGenerator<Buffer, void, void>
  close(): void
}

/** Opens the source and waits for its first bytes before any device is touched. `-` is stdin. */
export async function openSource(input: string, context: Context): Promise<StateSource> {
  const stream = input === '-' ? stdinOf(context) : await fileOf(input)
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let next = await nextFilled(iterator)
  if (next === undefined) {
    throw new UsageError(`${input === '-' ? 'stdin' : `'${input}'`} is empty: it holds no state of a device`)
  }
  return {
    async *chunks() {
      for (; next !== undefined; next = await nextFilled(iterator)) yield next
    },
    close: () => void stream.destroy(),
  }
}

function stdinOf({ io }: Context): Readable {
  if (isTerminal(io.stdin))
    throw new UsageError('nobody types the state of a device: name a file, or pipe one in')
  return io.stdin
}

async function fileOf(path: string): Promise<Readable> {
  const facts = await naming(path, 'read', stat(path))
  if (facts.isDirectory())
    throw new UsageError(`'${path}' is a directory: name the file that holds the state`)
  if (facts.isFIFO()) return pipeOf(path)
  const file = await naming(path, 'read', open(path))
  return file.createReadStream({ highWaterMark: mebibyte })
}

/** Opening it waits for its writer, and blocks a thread that cannot be ended; the event loop can wait and be told. */
function pipeOf(path: string): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return new Socket({ fd, readable: true, writable: false })
}

async function nextFilled(iterator: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  for (;;) {
    const next = await iterator.next()
    if (next.done) return undefined
    if (next.value.length > 0) return next.value
  }
}
