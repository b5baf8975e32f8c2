// SPDX-License-Identifier: Apache-2.0
import { AbortError } from '../abort.ts'
import type { Pump, PumpAnswer, SessionCalls } from '../backend/seam.ts'
import type { Clock } from '../clock.ts'
import { VfioSystemError } from '../errors.ts'
import { errno } from '../kernel/errno.ts'
import { untilPut, writeAll, WriteFailure } from './far_end.ts'
import { Pace } from './pace.ts'
import type { PumpOptions } from './pump_options.ts'

/**
 * A device's bytes on their way to an fd: in the data lane, past JavaScript, where the backend can; and chunk by chunk
 * what was read ahead before that, or is read of another backend.
 */
export class PumpOut {
  readonly #session: SessionCalls
  readonly #fd: number
  readonly #options: PumpOptions
  readonly #pace: Pace
  readonly #onStop: () => void
  #bytes = 0
  #bytesRead = 0
  /** Of a chunk that is put: what is not taken yet. */
  #inHand = 0
  #running: Pump | undefined
  #stop: 'limit' | Error | undefined
  readonly #onAbort = (): void => {
    this.#stop ??= new AbortError(this.#options.signal?.reason)
    this.#running?.cancel()
    this.#onStop()
  }

  /** `onStop` is told when it is not to go on. */
  constructor(
    session: SessionCalls,
    clock: Clock,
    { fd, options, onStop }: { fd: number; options: PumpOptions; onStop: () => void },
  ) {
    this.#session = session
    this.#fd = fd
    this.#options = options
    this.#pace = new Pace(clock, options.bytesPerSecond)
    this.#onStop = onStop
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** The backend has a copy loop of its own. */
  get runs(): boolean {
    return this.#session.pumpTo !== undefined
  }

  /** What the fd has taken. */
  get bytes(): number {
    return this.#bytes + (this.#running?.bytesWritten() ?? 0)
  }

  /** What its copy loop has read. */
  get bytesRead(): number {
    return this.#bytesRead + (this.#running?.bytesRead() ?? 0)
  }

  /** What it has read and the fd has not taken yet. */
  get heldBytes(): number {
    const running = this.#running ? this.#running.bytesRead() - this.#running.bytesWritten() : 0
    return this.#inHand + running
  }

  /** It is not to go on, and nothing of it is under way. */
  get isOver(): boolean {
    return this.#stop !== undefined && this.#running === undefined
  }

  /** Lets the copy loop run until the device has nothing now, or something stops it. */
  async run(waitMs: number): Promise<PumpAnswer> {
    const pump = this.#session.pumpTo?.(this.#fd, this.#left, this.#options.bytesPerSecond ?? 0, waitMs)
    if (pump === undefined) throw new TypeError('this backend has no copy loop')
    this.#running = pump
    try {
      const answer = await pump.done
      this.#take(answer)
      this.#bytesRead += pump.bytesRead()
      return answer
    } finally {
      this.#running = undefined
    }
  }

  #take({ result, call, bytes }: PumpAnswer): void {
    this.#count(bytes)
    if (result >= 0 || call === 'read' || result === -errno.ECANCELED) return
    this.#stop ??= new VfioSystemError(result, { syscall: call })
  }

  /** Writes the chunk from here; answers what of it was not taken. */
  async put(chunk: Uint8Array): Promise<Uint8Array> {
    let at = 0
    this.#inHand = chunk.length
    try {
      while (at < chunk.length && this.#stop === undefined) {
        const piece = await this.#piece(chunk.subarray(at))
        const taken = piece.length === 0 ? 0 : await this.#write(piece)
        at += taken
        this.#inHand -= taken
        this.#count(taken)
        if (taken < piece.length) break
      }
    } catch (error) {
      const taken = error instanceof WriteFailure ? error.taken : 0
      at += taken
      this.#count(taken)
      this.#stop ??= (error instanceof WriteFailure ? error.cause : error) as Error
    }
    this.#inHand = 0
    return chunk.subarray(at)
  }

  /** What it is time for: nothing where it is stopped meanwhile. */
  async #piece(chunk: Uint8Array): Promise<Uint8Array> {
    await this.#pace.wait(this.#options.signal)
    const room = this.#stop === undefined ? Math.min(this.#pace.pieceBytes, this.#left) : 0
    const piece = chunk.subarray(0, room)
    this.#pace.take(piece.length)
    return piece
  }

  /** As many bytes as the fd takes before the signal fires, or the session ends. */
  async #write(piece: Uint8Array): Promise<number> {
    const { signal } = this.#options
    const put = this.#session.putTo?.(this.#fd, piece)
    return put === undefined ? await writeAll(this.#fd, piece, signal) : await untilPut(put, signal)
  }

  get #left(): number {
    return (this.#options.maxBytes ?? Number.MAX_SAFE_INTEGER) - this.#bytes
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    if (this.#left === 0) this.#stop ??= 'limit'
  }

  /** Why it stopped, where not at `pause`. @throws what stopped it. */
  stoppedAt<Pause extends string>(pause: Pause): Pause | 'limit' {
    if (this.#stop instanceof Error) throw this.#stop
    return this.#stop ?? pause
  }

  /** It is over: nobody listens any more. */
  close(): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}
