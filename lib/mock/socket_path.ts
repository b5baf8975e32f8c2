// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, link, lstat, rename, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { checkPath } from './control_arguments.ts'

/** What {@link listenAt} puts behind a path while the socket has no name: nobody else's. */
const suffix = (): string => `.${randomBytes(3).toString('hex')}`

/** sockaddr_un.sun_path has 108 bytes with the 0 at its end, and the suffix takes seven of them. */
const maxPathBytes = 100

/**
 * Listens at `path`, with a socket that only its owner may connect to. It gets its name when it has its mode; a socket
 * that nobody listens at any more, as of a process that was killed, is replaced.
 * @throws Error EADDRINUSE where somebody listens, EEXIST where something else is.
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  checkPath(path)
  if (Buffer.byteLength(path) > maxPathBytes)
    throw new RangeError(`'${path}' is too long for a socket: at most ${maxPathBytes} bytes`)
  await refuseTaken(path)
  const unnamed = path + suffix()
  server.listen(unnamed)
  await once(server, 'listening')
  try {
    await chmod(unnamed, 0o600)
    await name(unnamed, path)
  } catch (error) {
    server.close()
    throw error
  } finally {
    await unlink(unnamed).catch(() => undefined)
  }
}

/** Two that begin at once cannot both have the name: a link replaces nothing. */
async function name(unnamed: string, path: string): Promise<void> {
  for (;;) {
    try {
      await link(unnamed, path)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    await refuseTaken(path)
    await removeDead(path)
  }
}

/** Taken aside first: what nobody listened at may have been replaced meanwhile, and is put back then. */
async function removeDead(path: string): Promise<void> {
  const aside = path + suffix()
  try {
    await rename(path, aside)
  } catch {
    return
  }
  if (!(await lstat(aside)).isSocket() || (await answers(aside)))
    await link(aside, path).catch(() => undefined)
  await unlink(aside)
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
