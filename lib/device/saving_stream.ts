// SPDX-License-Identifier: Apache-2.0
import { Readable } from 'node:stream'
import type { ReadAnswer, SessionCalls } from '../backend/seam.ts'
import { VfioError, VfioSystemError } from '../errors.ts'
import { errno } from '../kernel/errno.ts'
import { writerTo, type Sink } from './sink.ts'

const mebibyte = 1024 * 1024

/**
 * How long a read waits for an image that VFIO_MIG_GET_PRECOPY_INFO has announced, in ms, unless told. A firmware that
 * fell back silently never delivers it, so the wait must end; a SAVE that takes longer is found by the next read all the
 * same. @internal
 */
export const announcedImageWaitMs = 10_000

/** Where the reading stands: `'idle'`, nothing to read now and all taken; `'end'`, the device's last byte is taken. */
export type Pause = 'idle' | 'end'

/**
 * What a device gives out in PRE_COPY, PRE_COPY_P2P and STOP_COPY: an ordinary Readable over the session's data_fd.
 * Reading begins with the first demand. It ends when the device is in STOP_COPY and has nothing more; a temporary
 * end before that is not an end, see {@link idle}.
 *
 * A chunk is memory of the addon: to hand it to a worker thread, copy it, as it cannot be transferred.
 *
 * The device ends it when it leaves the saving group: silently where nobody reads, with ERR_VFIO_SESSION_ENDED where
 * somebody does. `destroy()` closes the data_fd; the session cannot be had again, so that STOP_COPY is refused after it.
 */
export class SavingStream extends Readable {
  readonly #session: SessionCalls
  readonly #device: string
  readonly #waiters = new Set<() => void>()
  readonly #releasable = new WeakSet<Buffer>()
  readonly #sums = new WeakMap<Uint8Array, number>()
  #readers = 0
  #wanted = false
  #reading = false
  #dry = false
  /** How long a read waits, in ms: more than 0 while an announced image is awaited. */
  #waitMs = 0
  #nudges = 0
  #stopCopyArc = Infinity
  #leaving = false
  #endReached = false
  /** Reading has failed, and whoever reads next is told. */
  #hasFailed = false
  #bytesRead = 0
  /** What a call of the seam rejected with: a simulated kernel has crashed. */
  #crash: Error | undefined
  /** 'error' and 'close' have been emitted. */
  #told = false

  /** @internal */
  constructor(session: SessionCalls, device: string) {
    super({ highWaterMark: mebibyte })
    this.#session = session
    this.#device = device
    this.once('end', () => this.#wake())
    this.once('close', () => {
      this.#told = true
      this.#wake()
    })
  }

  /** Bytes that were read from the device and not yet taken by the consumer. */
  get bufferedBytes(): number {
    return this.readableLength
  }

  /** Bytes that were read from the device so far. */
  get bytesRead(): number {
    return this.#bytesRead
  }

  /**
   * Resolves with `'idle'` when the device has nothing to read now and the consumer has taken all that was read, with
   * `'end'` after the last byte. It reads nothing by itself: somebody must consume. Rejects when the stream is destroyed.
   */
  async idle(): Promise<Pause> {
    return await this.#until(() => this.#idleNow())
  }

  /**
   * The chunks up to the next pause. A chunk is valid until the loop goes on: then its memory is read into again, and it
   * shows nothing any more (length 0). Leaving the loop destroys nothing: the stream can be read on, by another `chunks()`
   * or otherwise, and the last chunk stays as it is.
   */
  chunks(options: { until?: Pause } = {}): AsyncGenerator<Buffer, Pause, void> {
    return this.#chunks(options.until ?? 'end', chunk => this.release(chunk))
  }

  /** As {@link chunks}, for somebody who may need a chunk for longer: it is valid until it is released. @internal */
  chunksToRelease(until: Pause): AsyncGenerator<Buffer, Pause, void> {
    return this.#chunks(until, () => undefined)
  }

  /**
   * Nobody needs the chunk any more: its memory is for the next read at once. The garbage collector would bring it back
   * some time only, and fresh pages are as dear as reading them. It shows nothing after that (length 0), so that a mistake
   * is seen as what it is. Without effect on what {@link chunksToRelease} has not given, or has shared with a listener of
   * 'data': that is the consumer's own for ever. @internal
   */
  release(chunk: Buffer): void {
    if (this.#releasable.delete(chunk)) this.#session.release?.(chunk)
  }

  /**
   * CRC-32 of all that the session has read up to the end of this chunk, summed where it was read. Undefined where nobody
   * has, and for a chunk that is not as it was read. @internal
   */
  crc32After(chunk: Uint8Array): number | undefined {
    return this.#sums.get(chunk)
  }

  async *#chunks(until: Pause, then: (chunk: Buffer) => void): AsyncGenerator<Buffer, Pause, void> {
    let news = false
    const onReadable = (): void => {
      news = true
      this.#wake()
    }
    // A listener is what makes a Readable tell of new data and of its end; while it is there somebody reads.
    this.on('readable', onReadable).on('error', toldByRejection)
    try {
      for (;;) {
        news = false
        const chunk = this.#readAlone()
        if (chunk !== null) {
          yield chunk
          then(chunk)
          continue
        }
        const next = await this.#until(() => (news ? 'data' : until === 'idle' ? this.#idleNow() : undefined))
        if (next !== 'data') return next
      }
    } finally {
      this.off('readable', onReadable)
      // An 'error' that is on its way, and finds no listener any more, would end the process.
      if (this.#told || !this.destroyed) this.off('error', toldByRejection)
    }
  }

  /**
   * Writes everything up to the next pause into `sink`, at the sink's pace. Takes only sinks that have consumed the
   * bytes when they call back: a socket, a TLS socket, a file stream or an fd. For anything else use `pipeline`. When the
   * sink fails, the chunk that it failed on is lost; the stream can be read on.
   */
  async copyTo(sink: Sink, options: { until?: Pause } = {}): Promise<{ bytes: number; pause: Pause }> {
    const put = writerTo(sink)
    const chunks = this.chunks(options)
    try {
      for (let bytes = 0; ;) {
        const { done, value } = await chunks.next()
        if (done) return { bytes, pause: value }
        await put(value)
        bytes += value.length
      }
    } finally {
      await chunks.return('idle')
    }
  }

  /**
   * The device tells that there may be something to read again: after a SET, or after precopy info that announced bytes,
   * for which a read waits up to `waitMs`.
   * @internal
   */
  nudge(news: { waitMs?: number; leaving?: boolean; stopCopyArc?: number | undefined } = {}): void {
    this.#nudges++
    this.#dry = false
    this.#waitMs = news.waitMs ?? 0
    this.#leaving = news.leaving ?? this.#leaving
    this.#stopCopyArc = news.stopCopyArc ?? this.#stopCopyArc
    this.#pump()
  }

  /** The device is about to leave the saving group: ENODEV from now on is the answer to that. @internal */
  leave(): void {
    this.#leaving = true
  }

  /** The kernel has ended the session. @internal */
  async endSession(why: VfioError): Promise<void> {
    if (!this.#endReached) this.destroy(this.#isBeingRead() ? why : undefined)
    await this.#session.close()
  }

  /** @internal */
  precopyInfo(): ReturnType<SessionCalls['precopyInfo']> {
    return this.#session.precopyInfo()
  }

  /** What a listener of 'data' gets as well, or what is text, is nothing to be released. */
  #readAlone(): Buffer | null {
    const isShared = this.listenerCount('data') > 0
    const chunk = this.read() as Buffer | null
    if (!isShared && Buffer.isBuffer(chunk)) this.#releasable.add(chunk)
    return chunk
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    if (this.#dry) this.#wake()
    return chunk
  }

  override _read(): void {
    this.#wanted = true
    this.#pump()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#session.close().then(
      () => callback(error),
      (crash: unknown) => {
        this.#crash ??= crash as Error
        // As an event where nobody reads it would end the process.
        callback(error !== null || this.#isBeingRead() ? this.#crash : null)
      },
    )
  }

  #isBeingRead(): boolean {
    return this.#readers + this.listenerCount('data') + this.listenerCount('readable') > 0
  }

  #pump(): void {
    if (!this.#wanted || this.#reading || this.#dry || this.#endReached) return
    if (this.#hasFailed || this.destroyed) return
    this.#reading = true
    const nudges = this.#nudges
    this.#session.read(mebibyte, this.#waitMs).then(
      answer => {
        this.#reading = false
        if (!this.destroyed) this.#take(answer, nudges)
      },
      (crash: unknown) => {
        this.#crash ??= crash as Error
        if (!this.destroyed) this.#fail(this.#crash)
      },
    )
  }

  #take({ result, data, arc, crc32 }: ReadAnswer, nudges: number): void {
    if (result > 0) {
      // An image arrives as one: its first bytes say that the rest is there to be read.
      this.#waitMs = 0
      this.#wanted = false
      this.#bytesRead += result
      if (crc32 !== undefined) this.#sums.set(data, crc32)
      this.push(data)
    } else if (result === 0 && arc >= this.#stopCopyArc) {
      this.#endReached = true
      this.push(null)
    } else if (result === 0 || result === -errno.ENOMSG) {
      // Asked before the nudge, this answer says nothing about what is there after it.
      this.#dry = nudges === this.#nudges
      if (this.#dry) this.#wake()
      else this.#pump()
    } else if (!(this.#leaving && result === -errno.ENODEV)) {
      this.#fail(this.#failure(result))
    }
  }

  /** A failure of reading ahead, while nobody reads, waits for somebody who does: as an event it would end the process. */
  #fail(failure: Error): void {
    this.#hasFailed = true
    if (this.#isBeingRead() || this.listenerCount('error') > 0) this.destroy(failure)
    else this.once('newListener', () => queueMicrotask(() => this.destroy(failure)))
  }

  #failure(result: number): VfioSystemError {
    const remedy =
      result === -errno.ENODEV
        ? 'The session is over: the device was reset, its last image failed in firmware, or another process moved it on. Ask state(); if it is still in the saving group only reset() or close() help'
        : undefined
    return new VfioSystemError(
      result,
      { syscall: 'read' },
      { device: this.#device, recovery: 'reset', remedy },
    )
  }

  #idleNow(): 'idle' | undefined {
    return this.#dry && this.readableLength === 0 ? 'idle' : undefined
  }

  /** Waits until `what` answers something or the stream has ended. */
  async #until<T extends string>(what: () => T | undefined): Promise<T | 'end'> {
    this.#readers++
    this.on('error', toldByRejection)
    try {
      for (;;) {
        if (this.readableEnded) return 'end'
        // Not before: an 'error' that finds no listener any more would end the process.
        if (this.#told) throw this.#crash ?? this.errored ?? this.#ended()
        const answer = this.destroyed ? undefined : what()
        if (answer !== undefined) return answer
        await new Promise<void>(resolve => this.#waiters.add(resolve))
      }
    } finally {
      this.#readers--
      this.off('error', toldByRejection)
    }
  }

  #ended(): VfioError {
    return new VfioError('ERR_VFIO_SESSION_ENDED', `'${this.#device}': the saving stream was destroyed`)
  }

  #wake(): void {
    for (const resolve of this.#waiters) resolve()
    this.#waiters.clear()
  }
}

/** Who waits for a pause or a chunk is told of a failure by the rejection, not by the event. */
const toldByRejection = (): void => undefined
