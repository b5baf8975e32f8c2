// SPDX-License-Identifier: Apache-2.0
import { unlink } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { DeviceBackend } from '../backend/seam.ts'
import { realClock } from './clock.ts'
import { checkObject, checkPath } from './control_arguments.ts'
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
 * @throws TypeError for a mock on a virtual clock, as time cannot be shared with another process, and for one that is
 * served already and dies with something else.
 */
export async function serveMock(mock: MockDevice, path: string, options: ServeOptions): Promise<MockServer> {
  checkServable(mock, options)
  checkPath(path)
  const { dies } = options
  const hosting = take(mock, dies)
  const connections = new Set<ServedConnection>()
  const server = createServer(socket => {
    const connection = new ServedConnection(socket, hosting.host)
    connections.add(connection)
    socket.once('close', () => connections.delete(connection))
  })
  try {
    await listenAt(server, path)
  } catch (error) {
    leave(mock, hosting)
    throw error
  }
  const inode = await inodeOf(path)
  let closed: Promise<void> | undefined
  const close = (): Promise<void> =>
    (closed ??= end(server, connections, path, inode).finally(() => leave(mock, hosting)))
  return { path, close, [Symbol.asyncDispose]: close }
}

function checkServable(mock: unknown, given: unknown): asserts mock is MockDevice {
  if (!(mock instanceof MockDevice)) throw new TypeError('serveMock() takes a MockDevice')
  checkObject(given, 'the options of serveMock()')
  const { name, options } = mock
  if (options.clock !== realClock)
    throw new TypeError(`'${name}' has a virtual clock, and time cannot be shared with another process`)
  const { dies } = given as { readonly dies?: unknown }
  if (dies !== 'with-client' && dies !== 'with-host')
    throw new TypeError(`dies is 'with-client' or 'with-host', not '${String(dies)}'`)
  if (dies === 'with-client' && options.origin === 'lent')
    throw new TypeError(`'${name}' is of origin 'lent': it cannot die with a client`)
}

/** What all sockets have in common at which one mock is served. */
interface Hosting {
  readonly dies: ServeOptions['dies']
  readonly host: ConnectionHost
  sockets: number
}

const hostings = new WeakMap<MockDevice, Hosting>()

/** @throws TypeError for a mock that is served already, and dies with something else there. */
function take(mock: MockDevice, dies: ServeOptions['dies']): Hosting {
  const hosting = hostings.get(mock) ?? { dies, host: hostOf(mock, dies), sockets: 0 }
  if (hosting.dies !== dies)
    throw new TypeError(
      `'${mock.name}' is served already, and dies ${hosting.dies}: it cannot die ${dies} too`,
    )
  hosting.sockets++
  hostings.set(mock, hosting)
  return hosting
}

function leave(mock: MockDevice, hosting: Hosting): void {
  if (--hosting.sockets === 0) hostings.delete(mock)
}

/** By its path one client has it at a time; as an fd that was passed on, any number of them. */
function hostOf(mock: MockDevice, dies: ServeOptions['dies']): ConnectionHost {
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
