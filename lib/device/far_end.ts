// SPDX-License-Identifier: Apache-2.0
import { read, write } from 'node:fs'
import { promisify } from 'node:util'
import type { Pump } from '../backend/seam.ts'
import { monotonicClock, sleep } from '../clock.ts'
import { VfioSystemError } from '../errors.ts'
import { errno } from '../kernel/errno.ts'

const fsRead = promisify(read)
const fsWrite = promisify(write)

/** Node has no poll(2) for any fd: one that is not ready is asked again after so long, in ms. */
const askAgainMs = 1

/**
 * Writes all of the chunk to an fd, whether it blocks or not; answers how many bytes it took. Those are fewer where the
 * signal has fired and it does not take more at once.
 * @throws WriteFailure
 */
export async function writeAll(fd: number, chunk: Uint8Array, signal?: AbortSignal): Promise<number> {
  for (let at = 0; at < chunk.length;) {
    const bytes = await write1(fd, chunk, at)
    if (bytes === undefined && signal?.aborted) return at
    if (bytes === undefined) await sleep(monotonicClock, askAgainMs)
    else at += bytes
  }
  return chunk.length
}

/**
 * Resolves when a backend has written it all; answers how many bytes the fd took. Those are fewer where the signal has fired
 * or the session has ended.
 * @throws WriteFailure
 */
export async function untilPut(put: Pump, signal?: AbortSignal): Promise<number> {
  const onAbort = (): void => put.cancel()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const { result, call, bytes } = await put.done
    if (result >= 0 || result === -errno.ECANCELED) return bytes
    throw new WriteFailure(bytes, new VfioSystemError(result, { syscall: call }))
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

/** What an fd did not take, after so many bytes that it did. */
export class WriteFailure extends Error {
  readonly taken: number

  constructor(taken: number, cause: unknown) {
    super('the fd took no more', { cause })
    this.taken = taken
  }
}

async function write1(fd: number, chunk: Uint8Array, at: number): Promise<number | undefined> {
  try {
    return (await fsWrite(fd, chunk, at, chunk.length - at, null)).bytesWritten
  } catch (error) {
    if (isNotReady(error)) return undefined
    throw new WriteFailure(at, error)
  }
}

/** The next bytes of an fd, as a part of the memory given: none at its end, or where the signal has fired first. */
export async function readSome(fd: number, into: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  for (;;) {
    if (signal?.aborted) return into.subarray(0, 0)
    try {
      return into.subarray(0, (await fsRead(fd, into, 0, into.length, null)).bytesRead)
    } catch (error) {
      if (!isNotReady(error)) throw error
      await sleep(monotonicClock, askAgainMs)
    }
  }
}

function isNotReady(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN'
}
