// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from 'node:net'
import { throwIfAborted, untilAborted } from '../abort.ts'
import { monotonicClock, type Clock } from '../clock.ts'
import { VfioError } from '../errors.ts'
import {
  sideOf,
  type Moment,
  type MomentContext,
  type Outcome,
  type Participant,
  type SideDataList,
} from '../migration/participant.ts'
import { Lines } from './lines.ts'
import {
  answerOf,
  checkGreeting,
  lineBytes,
  sideDataLineBytes,
  version,
  type Answer,
  type Request,
} from './unix_protocol.ts'

/** A participant in another process, that is connected until it is closed. */
export interface UnixParticipant extends Required<Participant>, Disposable {
  /** Ends the connection. Idempotent. */
  close(): void
}

const greetingLimitMs = 5000

/**
 * Connects to a participant that listens at a socket in the file system, and greets it: when this resolves there is
 * somebody who speaks the protocol of docs/participant.md. An idle connection keeps no process alive.
 * @throws VfioError ERR_VFIO_PARTICIPANT where there is nobody, or somebody else, or no greeting within 5 s.
 */
export async function unixParticipant(
  path: string,
  options: { readonly clock?: Clock; readonly signal?: AbortSignal } = {},
): Promise<UnixParticipant> {
  const { clock = monotonicClock, signal } = options
  throwIfAborted(signal)
  const connection = new Connection(path)
  const stopWaiting = clock.after(greetingLimitMs, () =>
    connection.fail(new Error(`it did not greet within ${greetingLimitMs} ms`)),
  )
  try {
    await untilAborted(connection.greeted, signal)
    return new Remote(connection)
  } catch (error) {
    connection.close()
    throw error
  } finally {
    stopWaiting()
  }
}

/** Not a plain object: it is closed as well as called. */
class Remote implements UnixParticipant {
  readonly #connection: Connection
  #requests = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async quiesce(context: MomentContext): Promise<void> {
    await this.#ask('quiesce', context)
  }

  async stopped(context: MomentContext): Promise<SideDataList> {
    return (await this.#ask('stopped', context)).sideData ?? []
  }

  async restored(context: MomentContext & { readonly sideData: readonly Uint8Array[] }): Promise<void> {
    const sideData = context.sideData.map(bytes => Buffer.from(bytes).toString('base64'))
    await this.#ask('restored', context, { sideData })
  }

  async running(context: MomentContext): Promise<void> {
    await this.#ask('running', context)
  }

  async resumed(context: MomentContext): Promise<void> {
    await this.#ask('resumed', context)
  }

  async released(context: MomentContext & { readonly outcome: Outcome }): Promise<void> {
    await this.#ask('released', context, { outcome: context.outcome })
  }

  close(): void {
    this.#connection.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #ask(moment: Moment, context: MomentContext, more: Partial<Request> = {}): Promise<Answer> {
    const { devices, limitMs, signal } = context
    const side = sideOf[moment]
    const request: Request = {
      id: ++this.#requests,
      moment,
      devices: devices.map(({ name, driver = null }) => ({ name, driver, side })),
      limitMs,
      ...more,
    }
    const answer = await this.#connection.ask(request, signal)
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer
  }
}

interface Pending {
  readonly request: Request
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

/** Where nobody listens at the socket, or there is none. */
function remedyOf({ code }: NodeJS.ErrnoException): string {
  return code === 'ENOENT' || code === 'ECONNREFUSED' ? '. Start the participant first' : ''
}

/** Lines to and from a participant. Whatever comes that is not owed ends it, and every request from then on fails. */
class Connection {
  readonly #path: string
  readonly #socket: Socket
  readonly #lines = new Lines(lineBytes)
  readonly greeted: Promise<void>
  #onGreeted: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
  readonly #pending = new Map<number, Pending>()
  /** Requests that were cancelled: an answer may still come. */
  readonly #givenUp = new Set<number>()
  #failure: VfioError | undefined

  constructor(path: string) {
    this.#path = path
    this.greeted = new Promise((resolve, reject) => (this.#onGreeted = { resolve, reject }))
    this.#socket = connect(path)
    this.#socket
      .on('data', chunk => this.#take(chunk))
      .on('error', error => this.fail(error))
      .on('close', () => this.fail(new Error('it closed the connection')))
    this.#write({ hello: 'vfio-migrate', version })
  }

  async ask(request: Request, signal: AbortSignal): Promise<Answer> {
    if (this.#failure) throw this.#failure
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#pending.set(request.id, { request, resolve, reject })
    })
    // It stays so large: an answer to this may come when nobody waits for it any more.
    if (request.moment === 'stopped') this.#lines.allow(sideDataLineBytes(request.devices.length))
    this.#write(request)
    try {
      return await untilAborted(answered, signal)
    } catch (error) {
      if (signal.aborted) this.#giveUp(request)
      throw error
    }
  }

  /** The first failure is the one that is told. */
  fail(cause: Error): void {
    if (this.#failure) return
    this.#failure = new VfioError(
      'ERR_VFIO_PARTICIPANT',
      `The connection to the participant at '${this.#path}' is of no use: ${cause.message}${remedyOf(cause)}`,
      { cause },
    )
    this.#socket.destroy()
    this.#onGreeted?.reject(this.#failure)
    for (const { reject } of this.#pending.values()) reject(this.#failure)
    this.#pending.clear()
  }

  close(): void {
    this.fail(new Error('it was closed here'))
  }

  #giveUp({ id }: Request): void {
    if (!this.#pending.delete(id)) return
    this.#givenUp.add(id)
    this.#write({ cancel: id })
  }

  #take(chunk: Uint8Array): void {
    try {
      for (const line of this.#lines.take(chunk)) this.#hear(line)
    } catch (error) {
      this.fail(error instanceof RangeError ? new Error(`it sent ${error.message}`) : (error as Error))
    }
  }

  #hear(line: string): void {
    if (this.#onGreeted) {
      checkGreeting(line)
      this.#onGreeted.resolve()
      this.#onGreeted = undefined
      this.#socket.unref()
      return
    }
    const answer = answerOf(line)
    if (this.#givenUp.delete(answer.id)) return
    const pending = this.#pending.get(answer.id)
    if (!pending) throw new Error(`it answered ${answer.id}, which nobody has asked`)
    const { request, resolve } = pending
    if (answer.sideData && request.moment !== 'stopped') {
      throw new Error(`it sent side data at '${request.moment}', not at 'stopped'`)
    }
    this.#pending.delete(answer.id)
    resolve(answer)
  }

  #write(message: unknown): void {
    this.#socket.write(`${JSON.stringify(message)}\n`)
  }
}
