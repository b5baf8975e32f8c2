// SPDX-License-Identifier: Apache-2.0
import { Readable } from 'node:stream'
import { throwIfAborted } from '../abort.ts'
import type { ReadAnswer, SessionCalls } from '../backend/seam.ts'
import type { Clock } from '../clock.ts'
import type { VfioError } from '../errors.ts'
import { VfioSystemError } from '../errors.ts'
import type { Buffers } from './buffers.ts'
import { ChunkLoop } from './chunk_loop.ts'
import { checkEncoding, checkPause, checkPump, type Pumped, type SavingPumpOptions } from './pump_options.ts'
import { PumpOut } from './pump_out.ts'
import { ReadAhead, type News } from './read_ahead.ts'
import { Readers } from './readers.ts'
import type { ResumingStream } from './resuming_stream.ts'
import { busy, destroyWhenHeard, readFailure, streamDestroyed } from './saving_failures.ts'
import { writerTo, type Sink } from './sink.ts'

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
 * As any Readable it gives memory of the consumer's own. {@link chunks} and {@link copyTo} lend the memory of the reads, which
 * spares a copy.
 *
 * The device ends it when it leaves the saving group: silently where nobody reads, with ERR_VFIO_SESSION_ENDED where
 * somebody does. `destroy()` closes the data_fd; the session cannot be had again, so that STOP_COPY is refused after it.
 */
export class SavingStream extends Readable {
  readonly #session: SessionCalls
  readonly #device: string
  readonly #clock: Clock
  readonly #ahead: ReadAhead
  readonly #readers: Readers
  /** Memory that a loop has had, and a listener of 'data' too: that is the listener's own for ever. */
  readonly #shared = new WeakSet<ArrayBufferLike>()
  #isSummed = false
  /** Loops over chunks() that are under way: they take what is read before the Readable gets it. */
  #loops = 0
  #pump: PumpOut | undefined
  #wanted = false
  #endReached = false
  /** Reading has failed, and whoever reads next is told. */
  #hasFailed = false
  /** What a call of the seam rejected with: a simulated kernel has crashed. */
  #crash: Error | undefined

  /** @internal */
  constructor(
    session: SessionCalls,
    { device, clock, buffers }: { device: string; clock: Clock; buffers: Required<Buffers> },
  ) {
    super({ highWaterMark: buffers.bytes })
    this.#session = session
    this.#device = device
    this.#clock = clock
    this.#ahead = new ReadAhead(session, buffers, () => this.#onNews())
    this.#readers = new Readers(this, () => this.#crash ?? this.errored ?? streamDestroyed(this.#device))
  }

  /** Bytes that were read from the device and not yet taken by the consumer. */
  get bufferedBytes(): number {
    return this.readableLength + this.#ahead.bytes + (this.#pump?.heldBytes ?? 0)
  }

  /** Bytes that were read from the device so far. */
  get bytesRead(): number {
    return this.#ahead.bytesRead
  }

  /**
   * Resolves with `'idle'` when the device has nothing to read now and the consumer has taken all that was read, with
   * `'end'` after the last byte. It reads nothing by itself: somebody must consume. Rejects when the stream is destroyed.
   */
  async idle(): Promise<Pause> {
    return await this.#readers.until(() => (this.#isAllTaken ? 'end' : this.#idleNow()))
  }

  /**
   * The chunks up to the next pause. A chunk is valid until the loop goes on: then its memory is read into again, and it
   * shows nothing any more (length 0). Leaving the loop destroys nothing: the stream can be read on, by another `chunks()`
   * or otherwise, and the last chunk stays as it is.
   */
  chunks(options: { until?: Pause } = {}): AsyncGenerator<Buffer, Pause, void> {
    return this.#chunks(options.until ?? 'end', chunk => this.release(chunk))
  }

  /**
   * As {@link chunks}, for somebody who may need a chunk for longer: it is valid until it is released. And the Readable does
   * not tell its end, for which it would close the session while the device stands: the arc that ends that closes it.
   * @internal
   */
  chunksToRelease(until: Pause): AsyncGenerator<Buffer, Pause, void> {
    return this.#chunks(until, () => undefined, { tellsEnd: false })
  }

  /** As {@link chunksToRelease}, for somebody who owns a chunk for ever. @internal */
  ownChunks(until: Pause): AsyncGenerator<Buffer, Pause, void> {
    return this.#chunks(until, () => undefined, { tellsEnd: false, lends: false })
  }

  /**
   * Nobody needs the chunk any more: its memory is for the next read at once. The garbage collector would bring it back
   * some time only, and fresh pages are as dear as reading them. It shows nothing after that (length 0), so that a mistake
   * is seen as what it is. For the chunks of this stream; without effect on what was not lent, or is not the whole of it, and
   * on what a listener of 'data' has had, too: that is the consumer's own for ever. @internal
   */
  release(chunk: Buffer): void {
    if (this.#takeBack(chunk)) this.#ahead.returned()
  }

  #takeBack(data: Uint8Array): boolean {
    return !this.#shared.has(data.buffer) && this.#session.release?.(data) === true
  }

  #isLent(data: Uint8Array): boolean {
    return !this.#shared.has(data.buffer) && this.#session.isLent?.(data) === true
  }

  #chunks(
    until: Pause,
    pass: (chunk: Buffer) => void,
    { pump, tellsEnd = true, lends = true }: { pump?: PumpOut; tellsEnd?: boolean; lends?: boolean } = {},
  ): AsyncGenerator<Buffer, Pause, void> {
    return new ChunkLoop({
      begin: () => this.#beginLoop(until, lends, pump),
      take: () => this.#takeChunk(lends),
      pass,
      look: () => this.#look(until, pump, tellsEnd),
      changed: () => this.#readers.changed(),
      end: () => this.#endLoop(pump),
    })
  }

  #beginLoop(until: Pause, lends: boolean, pump: PumpOut | undefined): void {
    checkPause(until)
    checkEncoding(this.readableEncoding)
    if (this.#pump !== pump) throw busy(this.#device, 'chunks()')
    this.#loops++
    this.#ahead.lends = lends
    this.#readers.enter()
  }

  #look(until: Pause, pump: PumpOut | undefined, tellsEnd: boolean): Pause | 'more' | undefined {
    // Who has put an end to a pump is not the one to end the stream.
    if (pump?.isOver) return until
    // One that was destroyed has lost what lay there unread.
    if (this.#ahead.over === 'end' && this.readableLength === 0 && !this.destroyed) {
      if (!tellsEnd) return this.#atEnd()
      this.#tellEnd()
    }
    return this.#readers.look(() => this.#whatNow(until))
  }

  #endLoop(pump: PumpOut | undefined): void {
    this.#readers.leave()
    this.#loops--
    // At once: who reads next must find no pump.
    if (pump) this.#endPump(pump)
    this.#serve()
  }

  #whatNow(until: Pause): Pause | 'more' | undefined {
    if (this.#pump?.isOver || this.#ahead.mayDivert) return 'more'
    if (this.readableLength + this.#ahead.bytes > 0) return 'more'
    return until === 'idle' ? this.#idleNow() : undefined
  }

  /**
   * Writes everything up to the next pause into `sink`, at the sink's pace. Takes only sinks that have consumed the
   * bytes when they call back: a socket, a TLS socket, a file stream or an fd, into which it {@link pump}s. For anything else
   * use `pipeline`. When the sink is a stream and fails, the chunk that it failed on is lost; this can be read on.
   */
  async copyTo(sink: Sink, options: { until?: Pause } = {}): Promise<Pumped<Pause>> {
    if (typeof sink === 'number') return (await this.pump(sink, options)) as Pumped<Pause>
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
   * Writes everything up to the next pause to an fd, a file, pipe or socket, whether it blocks or not. On a kernel's device
   * the bytes go past JavaScript, so that nothing is allocated, copied or waited for here; {@link bytesRead} counts them
   * meanwhile. What was read ahead goes first. `fd` stays the caller's, and open until this has settled.
   *
   * Nobody else may read at the same time: ERR_VFIO_BUSY. When the signal fires, or the fd takes no more (its errno), what
   * was read and not taken is read again, first. A write to a file is waited for wherever it hangs.
   */
  async pump(fd: number, options: SavingPumpOptions = {}): Promise<Pumped<Pause | 'limit'>> {
    checkPump(fd, options)
    checkPause(options.until)
    checkEncoding(this.readableEncoding)
    throwIfAborted(options.signal)
    const listeners = this.listenerCount('data') + this.listenerCount('readable')
    if (this.#pump !== undefined || this.#loops + listeners > 0) throw busy(this.#device, 'pump()')
    const pump = new PumpOut(this.#session, this.#clock, { fd, options, onStop: () => this.#onNews() })
    this.#pump = pump
    if (pump.runs) this.#ahead.divert(pump)
    const pause = await this.#putInto(pump, options.until ?? 'end')
    return { bytes: pump.bytes, pause }
  }

  #endPump(pump: PumpOut): void {
    pump.close()
    this.#pump = undefined
    if (pump.runs) this.#ahead.divert()
    if (this.#wanted) this.#ahead.start()
  }

  async #putInto(pump: PumpOut, until: Pause): Promise<Pause | 'limit'> {
    const chunks = this.#chunks(until, chunk => this.release(chunk), { pump })
    try {
      for (;;) {
        const { done, value } = await chunks.next()
        if (done) return pump.stoppedAt(value)
        const rest = await pump.put(value)
        if (rest.length === 0) this.release(value)
        else this.#ahead.giveBack(rest, this.#isLent(rest))
        this.#readers.wake()
        if (pump.isOver) return pump.stoppedAt(until)
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
  nudge(news: News = {}): void {
    this.#ahead.nudge(news)
  }

  /** The device is about to leave the saving group: ENODEV from now on is the answer to that. @internal */
  leave(): void {
    this.#ahead.leave()
  }

  /** Sums what is read from now on, for {@link digest}: before the first read. False where nobody does. @internal */
  summarize(): boolean {
    if (!this.#ahead.isStarted && this.#session.summarize) {
      this.#session.summarize()
      this.#isSummed = true
    }
    return this.#isSummed
  }

  /** Of all that the session has read, as SessionCalls has it; undefined where it does not sum. @internal */
  get digest(): string | undefined {
    return this.#isSummed ? this.#session.digest?.() : undefined
  }

  /** What is read goes to that device at once: before the first read. False where the backend cannot. @internal */
  relayTo(stream: ResumingStream): boolean {
    if (this.#ahead.isStarted || !stream.relayFrom(this.#session)) return false
    this.#ahead.readInHalves()
    return true
  }

  /** The kernel has ended the session. @internal */
  async endSession(why: () => VfioError): Promise<void> {
    if (!this.#endReached) this.destroy(this.#isBeingRead() ? why() : undefined)
    await this.#session.close()
  }

  /** @internal */
  precopyInfo(): ReturnType<SessionCalls['precopyInfo']> {
    return this.#session.precopyInfo()
  }

  /** What has come to the Readable goes first; a chunk that nobody else sees is released when it is done with. */
  #takeChunk(lends: boolean): Buffer | undefined {
    this.#ahead.start()
    if (this.readableLength > 0) return this.read() as Buffer
    const answer = this.#ahead.take()
    if (answer === undefined) {
      // A failure that came while the last of it was in use.
      this.#serve()
      return undefined
    }
    const chunk = (lends ? answer.data : this.#own(answer)) as Buffer
    if (this.listenerCount('data') > 0) this.#share(chunk)
    return chunk
  }

  #share(chunk: Buffer): void {
    this.#shared.add(chunk.buffer)
    this.emit('data', chunk)
  }

  get #isAllTaken(): boolean {
    return this.#ahead.over === 'end' && this.bufferedBytes === 0
  }

  /** Whoever waits for a pause hears of it by this alone. */
  #atEnd(): 'end' {
    this.#readers.wake()
    return 'end'
  }

  /** Only who reads an empty Readable has it tell its end. */
  #tellEnd(): void {
    if (!this.#endReached) this.push(null)
    this.#endReached = true
    // Also where the Readable has known it for long, paused.
    super.read(0)
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    if (this.#ahead.isIdle) this.#readers.wake()
    return chunk
  }

  override _read(): void {
    this.#wanted = true
    // Not when a loop is left: what is read for the next one is lent, too.
    if (this.#loops === 0) this.#ahead.lends = false
    this.#ahead.start()
    // Not now: what is pushed meanwhile is joined with what is being read, by a copy of both.
    queueMicrotask(() => this.#serve())
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#ahead.stop()
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
    return this.#readers.count + this.listenerCount('data') + this.listenerCount('readable') > 0
  }

  #onNews(): void {
    this.#serve()
    this.#readers.wake()
  }

  /** Gives the Readable what it asked for, unless a loop takes it. */
  #serve(): void {
    if (this.destroyed || this.#hasFailed) return
    const { over } = this.#ahead
    if (over !== undefined && over !== 'end')
      this.#fail(typeof over === 'number' ? readFailure(this.#device, over) : over)
    else if (this.#wanted && this.#loops === 0) this.#push(over === 'end')
  }

  #push(isEnd: boolean): void {
    const answer = this.#ahead.take()
    if (answer === undefined && !isEnd) return
    this.#wanted = false
    this.#endReached = isEnd
    this.push(answer === undefined ? null : this.#own(answer))
  }

  /** What a loop has left behind is lent. */
  #own({ data, lent }: ReadAnswer): Uint8Array {
    if (!lent) return data
    const own = Buffer.allocUnsafeSlow(data.length)
    own.set(data)
    this.#takeBack(data)
    return own
  }

  /** A failure of reading ahead, while nobody reads, waits for somebody who does: as an event it would end the process. */
  #fail(failure: Error): void {
    this.#hasFailed = true
    this.#crash ??= failure instanceof VfioSystemError ? undefined : failure
    if (this.#isBeingRead() || this.listenerCount('error') > 0) this.destroy(failure)
    else destroyWhenHeard(this, failure)
  }

  #idleNow(): 'idle' | undefined {
    return this.#ahead.isIdle && this.bufferedBytes === 0 ? 'idle' : undefined
  }
}
