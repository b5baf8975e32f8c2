// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { WaitQueue } from '../wait.ts'
import type { Kernel, Session } from './driver.ts'

/** What a driver does in a way of its own with the bytes that are written to it. */
export interface ResumingManners {
  /** As long as a stream can be. */
  readonly buffer: Buffer
  /** What does not fit is refused whole, before anything else is looked at; or what fits is taken. */
  readonly overflow: 'ENOMEM' | 'short'
  /**
   * Looks at what there is after each write: 0, or -errno. The bytes stay taken whatever it answers. `before` is how many
   * there were before this write.
   */
  readonly check?: (filled: number, before: number) => number
}

/** The resuming fd of a driver that gathers the whole stream in one buffer and applies it in RESUMING -> STOP. */
export class ResumingBuffer implements Session {
  readonly direction = 'write'
  readonly changed: WaitQueue = new WaitQueue()
  readonly #kernel: Kernel
  readonly #manners: ResumingManners
  #filled = 0
  #dead = false

  constructor(kernel: Kernel, manners: ResumingManners) {
    this.#kernel = kernel
    this.#manners = manners
  }

  /** How many bytes were written, in all. */
  get filled(): number {
    return this.#filled
  }

  get bytes(): Buffer {
    return this.#manners.buffer
  }

  /** Opened for writing only. */
  read(): Promise<number> {
    return Promise.resolve(-errno.EBADF)
  }

  write(data: Uint8Array): Promise<number> {
    return Promise.resolve(this.#write(data))
  }

  end(): void {
    this.#dead = true
    this.#filled = 0
    this.changed.wake()
  }

  #write(data: Uint8Array): number {
    const { buffer, overflow, check } = this.#manners
    const room = buffer.length - this.#filled
    if (overflow === 'ENOMEM' && data.length > room) return -errno.ENOMEM
    if (this.#dead) return -errno.ENODEV
    if (room === 0 && data.length > 0) return -errno.EINVAL
    const fault = this.#kernel.faults.take('WRITE')
    if (fault?.errno !== undefined) return -errno[fault.errno]
    const before = this.#filled
    const taken = data.subarray(0, room)
    buffer.set(taken, before)
    this.#filled += taken.length
    return check?.(this.#filled, before) || taken.length
  }
}
