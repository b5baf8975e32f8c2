// SPDX-License-Identifier: Apache-2.0
import type { Socket } from 'node:net'
import type { DeviceBackend } from '../backend/seam.ts'
import { errno } from '../kernel/errno.ts'
import { MockDeviceCalls } from './calls.ts'
import { realClock, type CancelWait } from './clock.ts'
import type { MockDevice } from './device.ts'
import { encodeFrame, FrameReader, type Frame } from './frame.ts'
import { MockOops } from './oops.ts'
import { serveCall, serveControl, ServedSessions, type Served } from './served_calls.ts'
import {
  greetingTimeout,
  isRequest,
  roleOf,
  wireVersion,
  type Greeting,
  type Reply,
  type Request,
  type Role,
} from './wire.ts'

/** A client that has more than this begun, sent or not read is made to wait. */
const mostBytes = 64 * 1024 * 1024
const mostCalls = 4096

/** What a connection has of the host. */
export interface ConnectionHost {
  readonly mock: MockDevice
  /** Opens the device for a client; undefined while it is another's. */
  readonly open: () => DeviceBackend | undefined
  /** The client's fd is closed, and all that it had begun has ended. */
  readonly closed: (backend: DeviceBackend) => void
}

/** One client. What it has begun goes on without it, as a system call does when its process is killed. */
export class ServedConnection {
  readonly #socket: Socket
  readonly #host: ConnectionHost
  readonly #frames = new FrameReader()
  readonly #sessions = new ServedSessions()
  readonly #forgetGreeting: CancelWait
  readonly #ended: Promise<void>
  #role: Role | undefined
  #backend: DeviceBackend | undefined
  #isReleased = false
  #calls = 0
  #bytes = 0

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket
    this.#host = host
    this.#forgetGreeting = realClock.after(greetingTimeout, () => socket.destroy())
    this.#ended = new Promise<void>(resolve => socket.once('close', () => void this.#end().then(resolve)))
    socket.on('data', piece => this.#take(piece))
    socket.on('drain', () => this.#throttle())
    // The close that follows is what matters.
    socket.on('error', () => undefined)
  }

  /** Ends it, and waits for what is under way. */
  async close(): Promise<void> {
    this.#socket.destroy()
    await this.#ended
  }

  async #end(): Promise<void> {
    this.#forgetGreeting()
    const calls = this.#backend?.calls
    if (calls instanceof MockDeviceCalls) calls.abandon()
    // A kernel that has crashed closes nothing.
    await calls?.close().catch(() => undefined)
    this.#release()
  }

  /** The fd is closed: another client may have the device, even before this one has gone. */
  #release(): void {
    if (this.#backend !== undefined && !this.#isReleased) this.#host.closed(this.#backend)
    this.#isReleased = true
  }

  #take(piece: Buffer): void {
    try {
      for (const frame of this.#frames.push(piece)) this.#serve(frame)
    } catch {
      this.#socket.destroy()
    }
  }

  #serve({ header, payload }: Frame): void {
    if (this.#socket.destroyed) return
    if (this.#role === undefined) this.#greet(roleOf(header))
    else if (isRequest(header)) void this.#answer(header, payload)
    else this.#socket.destroy()
  }

  #greet(role: Role | undefined): void {
    this.#forgetGreeting()
    this.#role = role
    if (role === 'device') this.#backend = this.#host.open()
    const refused =
      role === undefined ? -errno.EPROTO : role === 'device' && !this.#backend ? -errno.EBUSY : undefined
    const { name, options } = this.#host.mock
    const { origin } = this.#backend ?? options
    const device = { name, driver: options.flavour.driver, origin }
    this.#send({ mock: wireVersion, ...(refused === undefined ? { device } : { refused }) })
    if (refused !== undefined) this.#socket.end()
  }

  async #answer(request: Request, payload: Buffer): Promise<void> {
    const serving = this.#begin(request, payload)
    if (serving === undefined) {
      this.#socket.destroy()
      return
    }
    this.#count(1, payload.length)
    try {
      const { answer, payload: bytes } = await serving
      if (request.call === 'close' && request.session === undefined) this.#release()
      this.#send({ id: request.id, answer }, bytes)
    } catch (error) {
      this.#fail(request, error)
    } finally {
      this.#count(-1, -payload.length)
    }
  }

  #begin(request: Request, payload: Buffer): Promise<Served> | undefined {
    return this.#backend === undefined
      ? serveControl(this.#host.mock, request)
      : serveCall(this.#backend.calls, request, payload, this.#sessions)
  }

  /** The seam fails by a crash, or by arguments that a client checks before it sends them. */
  #fail({ id }: Request, error: unknown): void {
    if (error instanceof MockOops) this.#send({ id, oops: error.what })
    else if (this.#role === 'control' && error instanceof Error)
      this.#send({ id, error: [error.name, error.message] })
    else this.#socket.destroy()
  }

  #send(header: Reply | Greeting, payload?: Uint8Array): void {
    if (this.#socket.destroyed) return
    this.#socket.cork()
    for (const part of encodeFrame(header, payload)) this.#socket.write(part)
    this.#socket.uncork()
  }

  #count(calls: number, bytes: number): void {
    this.#calls += calls
    this.#bytes += bytes
    this.#throttle()
  }

  #throttle(): void {
    const isMuch =
      this.#calls >= mostCalls || this.#bytes >= mostBytes || this.#socket.writableLength >= mostBytes
    if (isMuch) this.#socket.pause()
    else this.#socket.resume()
  }
}
