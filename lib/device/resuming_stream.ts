// SPDX-License-Identifier: Apache-2.0
import { Writable } from 'node:stream'
import { writePieceBytes, type SessionCalls } from '../backend/seam.ts'
import { throwIfAborted } from '../abort.ts'
import type { Clock } from '../clock.ts'
import { VfioError, VfioSystemError } from '../errors.ts'
import { errno } from '../kernel/errno.ts'
import type { Buffers } from './buffers.ts'
import { PumpIn } from './pump_in.ts'
import { checkPump, type Pumped, type PumpOptions } from './pump_options.ts'

/**
 * What a device in RESUMING takes in: an ordinary Writable over the session's data_fd. A driver may load each record
 * while it is written, so a write can take as long as its firmware does. The callback of a write says that its memory is the
 * caller's again; up to 4 MiB may be with the data lane then. {@link bytesWritten} is what the device has taken, and 'finish'
 * comes when that is all.
 *
 * `end()` flushes and keeps the data_fd; leaving RESUMING closes it. Any failure is final: what the device has taken
 * so far is no whole state, and RESUMING is left by `reset()` only.
 */
export class ResumingStream extends Writable {
  readonly #session: SessionCalls
  readonly #device: string
  readonly #clock: Clock
  #bytesWritten = 0
  #loading = 0
  /** Pieces of writes that are not answered, and who waits until they are fewer: a callback of the Writable's. */
  #underWay = 0
  #waiting: { readonly most: number; readonly callback: Callback } | undefined
  #failed: Error | undefined
  #hasGap = false
  /** What comes past JavaScript, of all that was to be loaded; undefined where nothing does. */
  #relayed: number | undefined
  #over = false
  #pump: PumpIn | undefined
  /** Resolves when the last pump is over. */
  #pumped = Promise.resolve()

  /** @internal */
  constructor(
    session: SessionCalls,
    { device, clock, buffers }: { device: string; clock: Clock; buffers: Required<Buffers> },
  ) {
    super({ highWaterMark: buffers.count * buffers.bytes })
    this.#session = session
    this.#device = device
    this.#clock = clock
  }

  /** Bytes that the device has taken. */
  get bytesWritten(): number {
    return this.#bytesWritten + (this.#pump?.bytesWritten ?? 0)
  }

  /** Sums what is written from now on, for {@link digest}: before the first of it. False where nobody does. @internal */
  summarize(): boolean {
    this.#session.summarize?.()
    return this.#session.summarize !== undefined
  }

  /**
   * What the session reads comes to this device at once from now on, where the backend can: {@link load} has to be given all
   * of it, in its order and nothing else, and waits for it. Before the first read; false where that cannot be. @internal
   */
  relayFrom(session: SessionCalls): boolean {
    if (session.relayTo?.(this.#session) !== 0) return false
    this.#relayed = 0
    return true
  }

  /** Nothing that comes past this is written any more: the stream is destroyed where anything does. @internal */
  cutRelay(): void {
    if (this.#relayed !== undefined) this.destroy()
  }

  /**
   * Gives the device a chunk behind all others that it was given so, without waiting for them, and resolves when it has
   * taken it. As any write, a failure is final. Not beside write() or a pipe. @internal
   */
  async load(chunk: Uint8Array): Promise<void> {
    this.#loading++
    try {
      const answer = await this.#give(chunk)
      if (answer < 0) throw this.#fail(answer)
      this.#bytesWritten += chunk.length
    } finally {
      this.#loading--
    }
  }

  #give(chunk: Uint8Array): Promise<number> {
    if (this.#relayed === undefined || !this.#session.relayed) return this.#session.write(chunk)
    this.#relayed += chunk.length
    return this.#session.relayed(this.#relayed)
  }

  /**
   * Gives the device what an fd has, from where that stands up to its end: a file, pipe or socket, whether it blocks or not.
   * For a kernel's device the bytes go past JavaScript, and {@link bytesWritten} counts them meanwhile. `fd` stays the
   * caller's, and open until this has settled; the stream is not ended by it. What is written meanwhile comes behind it.
   *
   * When the signal fires, or the fd fails, the device has taken all that was read of it, and more may be written. A failure
   * of the device is as final as one of any write. One at a time, and behind writes that were called back: ERR_VFIO_BUSY.
   */
  async pump(fd: number, options: PumpOptions = {}): Promise<Pumped<'end' | 'limit'>> {
    checkPump(fd, options)
    throwIfAborted(options.signal)
    this.#checkFree()
    const pump = new PumpIn(this.#clock, fd, options)
    const work = this.#load(pump)
    this.#pumped = work.then(
      () => undefined,
      () => undefined,
    )
    return await work
  }

  async #load(pump: PumpIn): Promise<Pumped<'end' | 'limit'>> {
    this.#loading++
    this.#pump = pump
    this.on('error', toldByRejection)
    try {
      const answer = await pump.run(this.#session)
      if (answer === undefined) return await pump.copy(chunk => this.load(chunk))
      this.#bytesWritten += answer.bytes
      if (this.destroyed) throw this.errored ?? this.#ended('pump()')
      if (answer.call === 'write' && answer.result < 0) throw this.#fail(answer.result)
      return { bytes: answer.bytes, pause: pump.endOf(answer) }
    } finally {
      this.#pump = undefined
      this.#loading--
      // An error that is on its way must find a listener, or it ends the process.
      if (!this.destroyed) this.off('error', toldByRejection)
    }
  }

  #checkFree(): void {
    if (this.destroyed || this.writableEnded) throw this.#ended('pump()')
    if (!this.#isFed) return
    const text = `'${this.#device}': pump() is refused while bytes are being written to the resuming stream`
    throw new VfioError('ERR_VFIO_BUSY', text, { device: this.#device })
  }

  #ended(operation: string): VfioError {
    const text = `'${this.#device}': ${operation} came too late: the resuming stream was ended or destroyed`
    return new VfioError('ERR_VFIO_SESSION_ENDED', text, { device: this.#device })
  }

  /** Of all that the device has taken, as SessionCalls has it; undefined where it does not sum. @internal */
  get digest(): string | undefined {
    return this.#session.digest?.()
  }

  /** Bytes were handed to this stream that the device has not taken yet. @internal */
  get isWriting(): boolean {
    return !this.destroyed && (this.#isFed || this.#underWay > 0)
  }

  /** Somebody waits for what he has given. */
  get #isFed(): boolean {
    return this.writableLength > 0 || this.#loading > 0
  }

  /** The device may have taken a part of a state: a write failed, or the stream was destroyed before its end. @internal */
  get hasFailed(): boolean {
    return this.destroyed && !this.writableFinished && !this.#over
  }

  /** The kernel has ended the session. @internal */
  async endSession(why: () => VfioError): Promise<void> {
    this.#over = true
    // A write that is under way is told by its callback; the event is for who listens.
    const told = this.isWriting && this.listenerCount('error') > 0
    if (!this.writableFinished) this.destroy(told ? why() : undefined)
    await this.#session.close()
  }

  override _write(chunk: Buffer, _encoding: string, callback: Callback): void {
    this.#writeAll([chunk], callback)
  }

  override _writev(chunks: { chunk: Buffer; encoding: string }[], callback: Callback): void {
    this.#writeAll(
      chunks.map(({ chunk }) => chunk),
      callback,
    )
  }

  override _final(callback: Callback): void {
    void this.#pumped.then(() => this.#whenUnderWay(0, callback))
  }

  /** The lane keeps their order and makes no system call after a failure. */
  #writeAll(chunks: readonly Uint8Array[], callback: Callback): void {
    // Behind a pump they are not posted yet, and of memory that was lent nobody makes a copy.
    const isHeld = this.#pump !== undefined || chunks.some(chunk => this.#session.isLent?.(chunk))
    for (const chunk of chunks) this.#follow(this.#writeBehind(chunk), piecesOf(chunk))
    this.#whenUnderWay(isHeld || this.#hasGap ? 0 : (this.#session.writeAhead ?? 0), callback)
  }

  #follow(write: Promise<number>, pieces: number): void {
    this.#underWay += pieces
    const answered = (failure: Error | undefined): void => {
      this.#underWay -= pieces
      this.#failed ??= failure
      this.#look()
    }
    write.then(
      answer => answered(this.#count(answer)),
      (crash: unknown) => answered(crash as Error),
    )
  }

  /** Calls back when no more pieces than that are with the lane, or one was not taken. */
  #whenUnderWay(most: number, callback: Callback): void {
    this.#waiting = { most, callback }
    this.#look()
  }

  #look(): void {
    const waiting = this.#waiting
    if (waiting === undefined) {
      // Its own callback has come before.
      if (this.#failed) this.destroy(this.#failed)
    } else if (this.#failed !== undefined || this.#underWay <= waiting.most) {
      this.#waiting = undefined
      waiting.callback(this.#failed)
    }
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (this.writableFinished) callback(error)
    else
      this.#session.close().then(
        () => callback(error),
        // A simulated kernel has crashed, which is told to who is told at all: as an event it could end the process.
        (crash: unknown) => callback(error ?? (this.listenerCount('error') > 0 ? (crash as Error) : null)),
      )
  }

  #writeBehind(chunk: Uint8Array): Promise<number> {
    if (this.#pump) return this.#pumped.then(() => this.#post(chunk))
    return this.#post(chunk)
  }

  /** Nothing may be written behind a gap. */
  #post(chunk: Uint8Array): Promise<number> {
    this.#hasGap ||= isTakenAway(chunk)
    return this.#hasGap ? Promise.reject(this.#takenAway()) : this.#session.write(chunk)
  }

  #takenAway(): VfioSystemError {
    const remedy =
      'The memory of a chunk was taken back before it was written: one of chunks() is lent until its loop goes on. Await the callback of write(), or give the stream to pipeline(). Only reset() leaves RESUMING now'
    return new VfioSystemError(
      -errno.EFAULT,
      { syscall: 'write' },
      { device: this.#device, recovery: 'reset', remedy },
    )
  }

  #fail(answer: number): VfioSystemError {
    const failure = this.#failure(answer)
    this.destroy(failure)
    return failure
  }

  #count(answer: number): VfioSystemError | undefined {
    if (answer < 0) return this.#failure(answer)
    this.#bytesWritten += answer
    return undefined
  }

  #failure(answer: number): VfioSystemError {
    return new VfioSystemError(
      answer,
      { syscall: 'write' },
      {
        device: this.#device,
        recovery: 'reset',
        remedy: remedyOf(answer, this.#bytesWritten),
      },
    )
  }
}

type Callback = (error?: Error | null) => void

const toldByRejection = (): void => undefined

/** A chunk whose array was transferred, or whose memory is lent no more, has no length. */
function isTakenAway({ length, buffer }: Uint8Array): boolean {
  if (length > 0) return false
  try {
    // Of one that is detached no part can be had.
    buffer.slice(0, 0)
    return false
  } catch {
    return true
  }
}

/** In how many the lane has a write. */
const piecesOf = ({ length }: Uint8Array): number => Math.max(1, Math.ceil(length / writePieceBytes))

/** What else than the bytes can be wrong, by errno; `after` is where. */
const otherFailures: Readonly<Record<number, (after: string) => string>> = {
  [errno.ENODEV]: after => `The session is over ${after}: the device was reset, or it is gone. Ask state()`,
  [errno.ENOMEM]: after =>
    `The kernel had no memory for more of the state ${after}: its buffers count to the memory cgroup of this process. Only reset() leaves RESUMING now`,
  [errno.ETIMEDOUT]: after =>
    `The device's firmware did not answer ${after}: see dmesg. Only reset() leaves RESUMING now`,
}

/** The errnos by which drivers refuse the bytes themselves. */
const refusals: ReadonlySet<number> = new Set([errno.EINVAL, errno.EFAULT, errno.EOPNOTSUPP])

function remedyOf(answer: number, bytes: number): string {
  const after = `after ${bytes} bytes`
  const other = otherFailures[-answer]
  if (other) return other(after)
  const why = refusals.has(-answer)
    ? ': it is not a state of this kind of device, or it is cut short'
    : ', and says no more than that: see dmesg'
  return `The device refused the state ${after}${why}. Only reset() leaves RESUMING now`
}
