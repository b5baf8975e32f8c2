// SPDX-License-Identifier: Apache-2.0
// A lock between processes of this machine. It is a listening socket in Linux's abstract namespace:
// the kernel gives the name to one process at a time and takes it back when that process dies. The names belong to a
// network namespace: containers that share a directory, but no network, do not lock each other out. A kernel's make
// is safe there all the same, by flock (vm/build.mjs).
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { say } from './steps.mjs'

/** @param {string} path */
const socketName = path => `\0vfio-migrate/${createHash('sha256').update(path).digest('hex').slice(0, 32)}`

/** @param {string} path what is locked; it need not exist */
async function tryLock(path) {
  const server = createServer()
  server.listen(socketName(path))
  try {
    await once(server, 'listening')
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EADDRINUSE') return undefined
    throw error
  }
  /** @type {Set<import('node:net').Socket>} */
  const waiting = new Set()
  server.on('connection', socket => {
    waiting.add(socket)
    socket.on('error', () => {}).on('close', () => waiting.delete(socket))
  })
  server.unref()
  return () => {
    server.close()
    for (const socket of waiting) socket.destroy()
  }
}

/** Resolves when the holder lets go or dies. @param {string} path */
async function holderGone(path) {
  const socket = connect(socketName(path))
  await new Promise(resolve =>
    socket
      .on('error', () => {})
      .on('close', resolve)
      .resume(),
  )
  await new Promise(resolve => setTimeout(resolve, 50))
}

/** Does nothing when some process works on it now. @param {string} path @param {() => void} body */
export async function tryWithLock(path, body) {
  const release = await tryLock(path)
  try {
    if (release) body()
  } finally {
    release?.()
  }
}

/**
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withLock(path, body) {
  let release = await tryLock(path)
  if (!release) say(`  another process works on ${path}: waiting for it`)
  while (!release) {
    await holderGone(path)
    release = await tryLock(path)
  }
  try {
    return await body()
  } finally {
    release()
  }
}
