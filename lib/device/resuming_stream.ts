// SPDX-License-Identifier: Apache-2.0
import { Writable } from 'node:stream'
import type { SessionCalls } from '../backend/seam.ts'
import { type VfioError, VfioSystemError } from '../errors.ts'
import { errno } from '../kernel/errno.ts'
import type { Buffers } from './buffers.ts'

/**
 * What a device in RESUMING takes in: an ordinary Writable over the session's data_fd. A driver may load each record
 * while it is written, so a write can take as long as its firmware does.
 *
 * `end()` flushes and keeps the data_fd; leaving RESUMING closes it. Any failure is final: what the device has taken
 * so far is no whole state, and RESUMING is left by `reset()` only.
 */
export class ResumingStream extends Writable {
  readonly #session: SessionCalls
  readonly #device: string
  #bytesWritten = 0
  #loading = 0
  #over = false

  /** @internal */
  constructor(session: SessionCalls, device: string, { count, bytes }: Required<Buffers>) {
    super({ highWaterMark: count * bytes })
    this.#session = session
    this.#device = device
  }

  /** Bytes that the device has taken. */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /** Sums what is written from now on: before the first of it. @internal */
  summarize(): void {
    this.#session.summarize?.()
  }

  /**
   * Gives the device a chunk behind all others that it was given so, without waiting for them, and resolves when it has
   * taken it. As any write, a failure is final. Not beside write() or a pipe. @internal
   */
  async load(chunk: Uint8Array): Promise<void> {
    this.#loading++
    try {
      const failure = this.#count(await this.#session.write(chunk))
      if (failure === undefined) return
      this.destroy(failure)
      throw failure
    } finally {
      this.#loading--
    }
  }

  /** CRC-32 of all that the device has taken, summed where it was written; undefined where nobody has. @internal */
  get crc32(): number | undefined {
    return this.#session.crc32?.()
  }

  /** Bytes were handed to this stream that the device has not taken yet. @internal */
  get isWriting(): boolean {
    return !this.destroyed && (this.writableLength > 0 || this.#loading > 0)
  }

  /** The device may have taken a part of a state: a write failed, or the stream was destroyed before its end. @internal */
  get hasFailed(): boolean {
    return this.destroyed && !this.writableFinished && !this.#over
  }

  /** The kernel has ended the session. @internal */
  async endSession(why: VfioError): Promise<void> {
    this.#over = true
    // A write that is under way is told by its callback; the event is for who listens.
    const told = this.isWriting && this.listenerCount('error') > 0
    if (!this.writableFinished) this.destroy(told ? why : undefined)
    await this.#session.close()
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#session.write(chunk).then(answer => callback(this.#count(answer)), callback)
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: string }[],
    callback: (error?: Error | null) => void,
  ): void {
    // The lane keeps their order and makes no system call after a failure.
    Promise.all(chunks.map(({ chunk }) => this.#session.write(chunk))).then(answers => {
      const failures = answers.map(answer => this.#count(answer))
      callback(failures.find(failure => failure !== undefined))
    }, callback)
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
