// SPDX-License-Identifier: Apache-2.0
import { unlink } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { DeviceBackend } from '../backend/seam.ts'
import { realClock } from './clock.ts'
import { MockDevice } from './device.ts'
import { ServedConnection, type ConnectionHost } from './served_connection.ts'
import { inodeOf, listenAt } from './socket_path.ts'

export interface ServeOptions {
  /**
   * `'with-client'`: a client opens it as by its path, so that its state is gone when the client is. `'with-host'`: it
   * is lent to the clients, and its state stays here.
   */
  readonly dies: 'with-client' | 'with-host'
}

/** A mock that other processes can open. */
export interface MockServer {
  readonly path: string
  /** Ends its connections, which answer ENODEV from then on, waits for the calls that are under way, and takes the socket away. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Serves a mock at a Unix socket, where `openDevice('mock+unix:PATH')` opens it: the device is in this process, with its
 * workload, its run log and its history, and is driven from another one. Each connection is an open fd: when its process
 * is killed, the call that it is in comes to its end first, and then the fd is closed.
 *
 * @throws TypeError for a mock on a virtual clock: time cannot be shared with another process.
 */
export async function serveMock(mock: MockDevice, path: string, options: ServeOptions): Promise<MockServer> {
  checkServable(mock, options)
  const host = hostOf(mock, options)
  const connections = new Set<ServedConnection>()
  const server = createServer(socket => {
    const connection = new ServedConnection(socket, host)
    connections.add(connection)
    socket.once('close', () => connections.delete(connection))
  })
  await listenAt(server, path)
  const inode = await inodeOf(path)
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= end(server, connections, path, inode))
  return { path, close, [Symbol.asyncDispose]: close }
}

function checkServable(mock: unknown, { dies }: ServeOptions): asserts mock is MockDevice {
  if (!(mock instanceof MockDevice)) throw new TypeError('serveMock() takes a MockDevice')
  const { name, options } = mock
  if (options.clock !== realClock)
    throw new TypeError(`'${name}' has a virtual clock, and time cannot be shared with another process`)
  const given: string = dies
  if (given !== 'with-client' && given !== 'with-host')
    throw new TypeError(`dies is 'with-client' or 'with-host', not '${given}'`)
  if (given === 'with-client' && options.origin === 'lent')
    throw new TypeError(`'${name}' is of origin 'lent': it cannot die with a client`)
}

/** By its path one client has it at a time; as an fd that was passed on, any number of them. */
function hostOf(mock: MockDevice, { dies }: ServeOptions): ConnectionHost {
  if (dies === 'with-host') {
    // Whoever lends it has it open already.
    mock
      .lend()
      .calls.close()
      .catch(() => undefined)
    return { mock, open: () => mock.lend(), closed: () => undefined }
  }
  let current: DeviceBackend | undefined
  return {
    mock,
    open: () => (current === undefined ? (current = mock.open()) : undefined),
    closed: () => (current = undefined),
  }
}

async function end(
  server: Server,
  connections: ReadonlySet<ServedConnection>,
  path: string,
  inode: number | undefined,
): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  await Promise.all([...connections].map(connection => connection.close()))
  await closed
  // Somebody else may serve there by now.
  if (inode !== undefined && (await inodeOf(path)) === inode) await unlink(path)
}
