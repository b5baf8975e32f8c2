// SPDX-License-Identifier: Apache-2.0
import type { ArcsAnswer, DeviceBackend } from '../backend/seam.ts'
import type { Clock } from '../clock.ts'
import { VfioError } from '../errors.ts'
import { savingGroup, type StateName } from '../kernel/state.ts'
import type { Buffers } from './buffers.ts'
import { ResumingStream } from './resuming_stream.ts'
import { SavingStream } from './saving_stream.ts'
import { endsSession, opensSession, type Edge } from './transition.ts'

/** The session of a device, of which there is at most one, kept in step with the kernel's. @internal */
export class DeviceSession {
  readonly #device: string
  readonly #clock: Clock
  readonly #buffers: Required<Buffers>
  #stream: SavingStream | ResumingStream | undefined
  /** Of those that are over, while their fds are being closed. */
  #closing: Promise<unknown> = Promise.resolve()

  constructor({ name, clock }: Pick<DeviceBackend, 'name' | 'clock'>, buffers: Required<Buffers>) {
    this.#device = name
    this.#clock = clock
    this.#buffers = buffers
  }

  get saving(): SavingStream {
    if (this.#stream instanceof SavingStream) return this.#stream
    throw this.#error(
      'ERR_VFIO_NO_SESSION',
      'nothing is being saved; setState() to PRE_COPY or STOP_COPY begins it',
    )
  }

  get resuming(): ResumingStream {
    if (this.#stream instanceof ResumingStream) return this.#stream
    throw this.#error('ERR_VFIO_NO_SESSION', 'nothing is being loaded; setState() to RESUMING begins it')
  }

  /** Refuses a path that would lose bytes, run a device that is loaded in part, or write into a session that is over. */
  checkPath(edges: readonly Edge[]): void {
    if (this.#stream instanceof ResumingStream && edges.some(endsSession))
      checkLoaded(this.#stream, this.#device)
    const finishes = edges.some(({ from, to }) => savingGroup.has(from) && to === 'STOP_COPY')
    if (finishes && !(this.#stream instanceof SavingStream && !this.#stream.destroyed)) {
      throw this.#error(
        'ERR_VFIO_STREAM_DESTROYED',
        `its saving stream was destroyed or is in other hands, so that what STOP_COPY gives out could not be read; setState('RUNNING') and begin again`,
      )
    }
  }

  /** A path along `edges` is about to be driven. */
  before(edges: readonly Edge[]): void {
    if (this.#stream instanceof SavingStream && edges.some(endsSession)) this.#stream.leave()
  }

  /**
   * The kernel made `edges`; the session becomes what the kernel's is after them. One that they have ended may be closing
   * yet: the kernel has let go of it, and only a path that opens the next one waits for that.
   */
  async after(edges: readonly Edge[], answer: ArcsAnswer, poisoned = false): Promise<void> {
    for (const edge of edges) {
      if (endsSession(edge)) this.#end(`setState() led it from ${edge.from} to ${edge.to}`)
      if (opensSession(edge) && answer.session !== undefined) {
        const Stream = edge.to === 'RESUMING' ? ResumingStream : SavingStream
        const facts = { device: this.#device, clock: this.#clock, buffers: this.#buffers }
        this.#stream = new Stream(answer.session, facts)
      }
    }
    // Whatever the driver would still answer is no part of a state.
    if (poisoned) await this.end('an arc failed half-way, and only reset() or close() help')
    if (!(this.#stream instanceof SavingStream)) return
    const stopCopyArc = edges.at(-1)?.to === 'STOP_COPY' ? answer.arc : undefined
    this.#stream.nudge({ leaving: false, stopCopyArc })
  }

  /** A session that the kernel's state no longer has was ended by a reset or by another holder of the device. */
  reconcile(state: StateName): void {
    const alive = this.#stream instanceof SavingStream ? savingGroup.has(state) : state === 'RESUMING'
    if (!alive) this.#end(`it is in ${state}: it was reset, or another process moved it`)
  }

  /** Resolves when its fd is closed, and that of every one before it. */
  async end(why: string): Promise<void> {
    this.#end(why)
    await this.closed()
  }

  /** Resolves when the fds of all that are over are closed. */
  async closed(): Promise<void> {
    const closing = this.#closing
    try {
      await closing
    } finally {
      // What went wrong is told once.
      if (this.#closing === closing) this.#closing = Promise.resolve()
    }
  }

  #end(why: string): void {
    const stream = this.#stream
    if (stream === undefined) return
    this.#stream = undefined
    const ended = stream.endSession(() =>
      this.#error('ERR_VFIO_SESSION_ENDED', `the session is over: ${why}`),
    )
    this.#closing = Promise.all([this.#closing, ended])
    // Whoever waits is told.
    this.#closing.catch(() => undefined)
  }

  #error(
    code: 'ERR_VFIO_NO_SESSION' | 'ERR_VFIO_STREAM_DESTROYED' | 'ERR_VFIO_SESSION_ENDED',
    message: string,
  ): VfioError {
    return new VfioError(code, `'${this.#device}': ${message}`, { device: this.#device })
  }
}

function checkLoaded(stream: ResumingStream, device: string): void {
  if (stream.isWriting) {
    throw new VfioError(
      'ERR_VFIO_BUSY',
      `'${device}': bytes are still being written to it; end() the resuming stream and await its finish before leaving RESUMING`,
      { device },
    )
  }
  if (stream.hasFailed) {
    throw new VfioError(
      'ERR_VFIO_LOAD_FAILED',
      `'${device}': the resuming stream failed or was destroyed, so the device holds a part of a state; only reset() leaves RESUMING`,
      { device, state: 'RESUMING', recovery: 'reset' },
    )
  }
}
