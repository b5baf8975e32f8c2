// SPDX-License-Identifier: Apache-2.0
import type { PrecopyInfoAnswer } from '../../backend/seam.ts'
import { errno } from '../../kernel/errno.ts'
import { WaitQueue } from '../wait.ts'
import type { Kernel, Session } from './driver.ts'
import { queuedBytes, RecordQueue } from './mlx5_queue.ts'

/**
 * The saving fd of a driver that keeps its whole stream in one buffer (mtty, hisi_acc, qat, pds): a read never waits and
 * answers 0 where there is nothing, be it the end or not.
 */
export class SavingBuffer implements Session {
  readonly direction = 'read'
  readonly changed: WaitQueue = new WaitQueue()
  readonly #kernel: Kernel
  readonly #queue: RecordQueue
  #dead = false

  constructor(kernel: Kernel, filled: Uint8Array) {
    this.#kernel = kernel
    this.#queue = new RecordQueue(kernel.faults.take('STREAM'))
    this.fill(filled)
  }

  /** The stream as far as it is there. What of it was there already stays as it was given out. */
  fill(filled: Uint8Array): void {
    if (filled.length > this.#queue.end)
      this.#queue.add(queuedBytes(Uint8Array.from(filled.subarray(this.#queue.end))))
    this.changed.wake()
  }

  read(maxBytes: number): Promise<Uint8Array | number> {
    if (this.#dead) return Promise.resolve(-errno.ENODEV)
    this.#queue.skipLeftOut()
    if (this.#queue.isEmpty || maxBytes === 0) return Promise.resolve(0)
    const fault = this.#kernel.faults.take('READ')
    if (fault?.errno !== undefined) return Promise.resolve(-errno[fault.errno])
    const bytes = this.#queue.read(maxBytes)
    return Promise.resolve(bytes.length === 0 ? 0 : bytes)
  }

  /** Opened for reading only. */
  write(): Promise<number> {
    return Promise.resolve(-errno.EBADF)
  }

  end(): void {
    this.#dead = true
    this.#queue.clear()
    this.changed.wake()
  }

  /** What of the first `length` bytes was not read yet. Nothing is ever dirty. */
  unread(length: number = this.#queue.end): PrecopyInfoAnswer {
    const left = length - this.#queue.position
    const result = this.#dead ? -errno.ENODEV : left < 0 ? -errno.EINVAL : 0
    return { result, initialBytes: result < 0 ? 0 : left, dirtyBytes: 0, flags: 0 }
  }
}

/** One whose driver answers VFIO_MIG_GET_PRECOPY_INFO. */
export class PrecopyBuffer extends SavingBuffer {
  precopyInfo(): Promise<PrecopyInfoAnswer> {
    return Promise.resolve(this.unread())
  }
}
