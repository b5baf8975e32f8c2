// SPDX-License-Identifier: Apache-2.0
import { chmod, lstat, rename, unlink } from 'node:fs/promises'
import { once } from 'node:events'
import { connect, type Server } from 'node:net'

/** sockaddr_un.sun_path has 108 bytes with the 0 at its end, and {@link listenAt} needs four of them. */
const maxPathBytes = 103

/**
 * Listens at `path`, with a socket that only its owner may connect to. It gets its name when it has its mode; a socket
 * that nobody listens at any more, as of a process that was killed, is replaced.
 * @throws Error EADDRINUSE where somebody listens, EEXIST where something else is.
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes)
    throw new RangeError(`'${path}' is too long for a socket: at most ${maxPathBytes} bytes`)
  await refuseTaken(path)
  const unnamed = `${path}.new`
  await unlink(unnamed).catch(() => undefined)
  server.listen(unnamed)
  await once(server, 'listening')
  await chmod(unnamed, 0o600)
  await rename(unnamed, path)
}

/** The file that a path names, to tell it from another one of that name. */
export async function inodeOf(path: string): Promise<number | undefined> {
  return (await lstat(path).catch(() => undefined))?.ino
}

async function refuseTaken(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined)
  if (there === undefined) return
  if (!there.isSocket()) throw taken('EEXIST', `'${path}' is there and is no socket`, path)
  if (await answers(path)) throw taken('EADDRINUSE', `'${path}' is served already`, path)
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function taken(code: string, message: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code, syscall: 'listen', path })
}
