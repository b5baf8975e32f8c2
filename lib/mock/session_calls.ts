// SPDX-License-Identifier: Apache-2.0
import type { Answer, PrecopyInfoAnswer, ReadAnswer, SessionCalls } from '../backend/seam.ts'
import { errno } from '../kernel/errno.ts'
import { checkBytes, checkRead } from './arguments.ts'
import type { Boundary } from './boundary.ts'
import type { Core } from './core.ts'
import { alwaysReady, POLLIN, type Session } from './drivers/driver.ts'
import { Lane } from './lane.ts'
import { refusals } from './refusals.ts'
import { until, untilTimeout } from './wait.ts'

/** The usual transfer, and the largest, as in native/core/buffer.h. */
const pieceBytes = 1024 * 1024
const maxPieceBytes = 16 * pieceBytes
/** How long poll(2) is believed, as in native/core/data_fd.cc: it does not tell of a first SAVE that was given up. */
const askAgainMs = 50
const POLLERR = 0x8
const POLLHUP = 0x10

/** What a session has of its device. */
export interface SessionHost {
  readonly core: Core
  readonly boundary: Boundary
  /** How many SETs of this holder succeeded. */
  readonly arc: number
  /** The control lane. */
  readonly lane: Lane
}

/** One data_fd and its data lane: native/core/data_fd.cc over a simulated session. */
export class MockSessionCalls implements SessionCalls {
  readonly #host: SessionHost
  readonly #session: Session
  readonly #lane = new Lane()
  #isClosing = false
  #isDead = false
  #closed: Promise<void> | undefined

  constructor(host: SessionHost, session: Session) {
    this.#host = host
    this.#session = session
  }

  read(maxBytes: number, waitMs: number): Promise<ReadAnswer> {
    checkRead(maxBytes, waitMs)
    const refused = (result: number): ReadAnswer => refusals.read(result, 0)
    return this.#host.boundary.call(
      'read',
      [maxBytes, waitMs],
      () => this.#lane.post(() => this.#read(maxBytes, waitMs), refused, -errno.EBADF),
      ({ result }) => result,
    )
  }

  write(data: Uint8Array): Promise<Answer> {
    checkBytes(data, 'data')
    const { length } = data
    return this.#host.boundary.call(
      'write',
      [length],
      () =>
        this.#lane.post(
          () => this.#write(data, length),
          result => result,
          -errno.EBADF,
        ),
      result => result,
    )
  }

  precopyInfo(): Promise<PrecopyInfoAnswer> {
    const refused = refusals.precopyInfo
    const { boundary, lane, core } = this.#host
    const ask = async (): Promise<PrecopyInfoAnswer> =>
      this.#isClosing ? refused(-errno.ENODEV) : await core.precopyInfo(this.#session)
    return boundary.call(
      'precopyInfo',
      [],
      () => (this.#isClosing ? ask() : lane.post(ask, refused, -errno.ENODEV)),
      ({ result }) => result,
    )
  }

  close(): Promise<void> {
    this.#closed ??= this.#host.boundary.call(
      'close data_fd',
      [],
      () => this.shutdown(),
      () => 0,
    )
    return this.#closed
  }

  /** The device closes, or this does. Resolves when nothing of it runs any more. */
  async shutdown(): Promise<void> {
    this.#isClosing = true
    this.#lane.stop()
    this.#session.changed.wake()
    await this.#lane.ended()
  }

  async #read(maxBytes: number, waitMs: number): Promise<ReadAnswer> {
    const length = Math.min(maxBytes, maxPieceBytes)
    const answer = await this.#readOnce(length)
    const isIdle = answer.result === 0 || answer.result === -errno.ENOMSG
    if (!isIdle || waitMs === 0) return answer
    await this.#readable(Math.ceil(waitMs))
    return await this.#readOnce(length)
  }

  /** read(2), with EAGAIN waited for. The arc must not be newer than the question. */
  async #readOnce(length: number): Promise<ReadAnswer> {
    let { arc } = this.#host
    while (!this.#isClosing) {
      arc = this.#host.arc
      const bytes = await this.#session.read(length)
      if (bytes !== -errno.EAGAIN) return readAnswer(bytes, arc)
      await this.#worthAsking()
    }
    return readAnswer(-errno.ECANCELED, arc)
  }

  /** Without a change read(2) would answer the same: time is left alone until there is one. */
  async #worthAsking(): Promise<void> {
    const { changed } = this.#session
    let hasChanged = false
    changed.add(() => (hasChanged = true))
    await until(changed, () => this.#isReady() ?? (hasChanged || undefined))
    await this.#readable(askAgainMs)
  }

  /** poll(2) on the fd and on what ends the session. */
  async #readable(ms: number): Promise<void> {
    await untilTimeout(this.#session.changed, () => this.#isReady(), this.#host.core.clock, ms)
  }

  #isReady(): true | undefined {
    const mask = this.#session.poll?.() ?? alwaysReady
    return this.#isClosing || (mask & (POLLIN | POLLERR | POLLHUP)) !== 0 || undefined
  }

  /** In pieces, each written until it is taken. Whatever fails is final: the stream has a hole from there on. */
  async #write(data: Uint8Array, length: number): Promise<Answer> {
    if (this.#isDead) return -errno.ENODEV
    for (let at = 0; at < length;) {
      const end = Math.min(length, at + pieceBytes - (at % pieceBytes))
      const answer = await this.#writeOnce(data, at, end)
      if (answer < 0) {
        this.#isDead = answer !== -errno.ECANCELED
        return answer
      }
      at += answer
    }
    return length
  }

  async #writeOnce(data: Uint8Array, at: number, end: number): Promise<Answer> {
    if (this.#isClosing) return -errno.ECANCELED
    // Detached or shrunk since it was given.
    if (data.length < end) return -errno.EFAULT
    const answer = await this.#session.write(data.subarray(at, end))
    if (answer !== 0) return answer
    return data.length < end ? -errno.EFAULT : -errno.EIO
  }
}

function readAnswer(bytes: Uint8Array | number, arc: number): ReadAnswer {
  return typeof bytes === 'number' ? refusals.read(bytes, arc) : { result: bytes.length, data: bytes, arc }
}
