// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { VfioError, VfioSystemError } from '../errors.ts'
import { errno, type ErrnoName } from '../kernel/errno.ts'
import { realClock } from './clock.ts'
import { encodeFrame, FrameReader, type Frame } from './frame.ts'
import { MockOops } from './oops.ts'
import { greetingTimeout, wireVersion, type Introduction, type Role } from './wire.ts'

/** What a call came to; undefined when the host is gone. */
export type Answered = { readonly answer: unknown; readonly payload: Buffer } | undefined

interface Pending {
  readonly resolve: (answered: Answered) => void
  readonly reject: (error: Error) => void
}

/** The client's side of a connection to a mock in another process. When that process is gone every call is answered, with nothing. */
export class WireClient {
  readonly #socket: Socket
  readonly #name: string
  readonly #frames = new FrameReader()
  readonly #pending = new Map<number, Pending>()
  #next = 1

  private constructor(socket: Socket, name: string) {
    this.#socket = socket
    this.#name = name
    socket.on('data', piece => this.#take(piece))
    socket.on('error', () => undefined)
    socket.on('close', () => this.#lose())
    // What is open keeps no process alive, as with a device of this one; a call does, until it is answered.
    socket.unref()
  }

  /**
   * Connects to the mock that is served at `path`.
   * @throws VfioError ERR_VFIO_NO_DEVICE where nobody serves one.
   */
  static async connect(path: string, as: Role): Promise<{ client: WireClient; device: Introduction }> {
    const socket = connect(path)
    const cancel = realClock.after(greetingTimeout, () => socket.destroy())
    try {
      await once(socket, 'connect')
      send(socket, { mock: wireVersion, as })
      const device = welcome(await greeting(socket), path)
      return { client: new WireClient(socket, device.name), device }
    } catch (error) {
      socket.destroy()
      throw whyNot(error, path)
    } finally {
      cancel()
    }
  }

  async request(
    call: string,
    args: readonly unknown[],
    { payload, session }: { payload?: Uint8Array; session?: number } = {},
  ): Promise<Answered> {
    if (this.#socket.destroyed) return undefined
    const id = this.#next++
    return await new Promise<Answered>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      this.#socket.ref()
      send(this.#socket, { id, call, args, session }, payload)
    })
  }

  /** Nothing more is asked. */
  end(): void {
    this.#socket.destroy()
  }

  #take(piece: Buffer): void {
    try {
      for (const frame of this.#frames.push(piece)) this.#settle(frame)
    } catch {
      this.#socket.destroy()
    }
  }

  #settle({ header, payload }: Frame): void {
    const { id, answer, oops, error } = header
    const pending = this.#pending.get(Number(id))
    this.#pending.delete(Number(id))
    if (this.#pending.size === 0) this.#socket.unref()
    if (typeof oops === 'string') pending?.reject(new MockOops(this.#name, oops))
    else if (Array.isArray(error)) pending?.reject(errorOf(error.map(String)))
    else pending?.resolve({ answer, payload })
  }

  #lose(): void {
    for (const { resolve } of this.#pending.values()) resolve(undefined)
    this.#pending.clear()
  }
}

const errors: Readonly<Record<string, new (message: string) => Error>> = { TypeError, RangeError }

function errorOf([name = '', message = '']: readonly string[]): Error {
  return new (errors[name] ?? Error)(message)
}

function send(socket: Socket, header: object, payload?: Uint8Array): void {
  socket.cork()
  for (const part of encodeFrame(header, payload)) socket.write(part)
  socket.uncork()
}

/** The first frame; the host says nothing behind it before it is asked. */
async function greeting(socket: Socket): Promise<Frame['header']> {
  const frames = new FrameReader()
  for (;;) {
    const [piece] = (await Promise.race([once(socket, 'data'), ended(socket)])) as [Buffer]
    const [frame] = frames.push(piece)
    if (frame) return frame.header
  }
}

async function ended(socket: Socket): Promise<never> {
  await once(socket, 'close')
  throw new Error('the connection was ended')
}

class Refused extends Error {
  readonly answer: number

  constructor(answer: number) {
    super('the host refuses')
    this.answer = answer
  }
}

function welcome({ mock, device, refused }: Frame['header'], path: string): Introduction {
  if (typeof refused === 'number') throw new Refused(refused)
  if (mock !== wireVersion || typeof device !== 'object' || device === null)
    throw new Error(`what answers at '${path}' serves no mock`)
  return device as Introduction
}

const remedies: Partial<Record<ErrnoName, string>> = {
  EBUSY: 'Another client has it open: only a mock that lives with its host can be had twice',
  EPROTO: 'It is served by another version of vfio-migrate',
  EACCES: 'The socket is its owner’s alone',
}

function whyNot(error: unknown, path: string): Error {
  const device = `mock+unix:${path}`
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const answer = error instanceof Refused ? error.answer : code === 'EACCES' ? -errno.EACCES : undefined
  if (answer === undefined) {
    const why = error instanceof Error ? error.message : String(error)
    return new VfioError('ERR_VFIO_NO_DEVICE', `'${device}': nobody serves a mock there: ${why}`, {
      device,
      cause: error,
    })
  }
  const name = Object.keys(remedies).find(candidate => errno[candidate as ErrnoName] === -answer)
  const remedy = name === undefined ? undefined : remedies[name as ErrnoName]
  return new VfioSystemError(answer, { syscall: 'connect' }, { device, remedy })
}
