// SPDX-License-Identifier: Apache-2.0
import type { PrecopyInfoAnswer } from '../../backend/seam.ts'
import { errno } from '../../kernel/errno.ts'
import type { SavedImage } from '../image.ts'
import { WaitQueue } from '../wait.ts'
import type { Kernel, Session } from './driver.ts'
import { queuedBytes, RecordQueue } from './mlx5_queue.ts'
import { imageRecord } from './mlx5_record.ts'

/** How often the device may be asked while it runs, in milliseconds. */
const askEvery = 1000

/**
 * A saving data_fd of virtio: drivers/vfio/pci/virtio/migrate.c of Linux 7.2. Every record is all parts of the device, in
 * pre-copy too; they are read from it inside the SET or the precopy info that wants them, so that a read never waits.
 */
export class VirtioSaving implements Session {
  readonly direction = 'read'
  readonly changed: WaitQueue = new WaitQueue()
  readonly #kernel: Kernel
  readonly #queue: RecordQueue
  #state: 'PRE_COPY' | 'COMPLETE' | 'ERROR' = 'PRE_COPY'
  /** Where the first record of pre-copy ends. */
  #initialEnd = 0
  #asked = -Infinity

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.#queue = new RecordQueue(kernel.faults.take('STREAM'))
  }

  /** The first record: 0, or -errno. */
  async begin(preCopy: boolean): Promise<number> {
    const answer = await this.#record(preCopy)
    if (answer < 0) return answer
    this.#initialEnd = preCopy ? this.#queue.end : 0
    this.#state = preCopy ? 'PRE_COPY' : 'COMPLETE'
    return 0
  }

  /** The last one, of the stopped device. */
  async finish(): Promise<number> {
    if (this.#state === 'ERROR') return -errno.ENODEV
    const answer = await this.#record(false)
    this.#state = answer < 0 ? 'ERROR' : 'COMPLETE'
    this.changed.wake()
    return answer
  }

  end(): void {
    this.#state = 'ERROR'
    this.#queue.clear()
    this.changed.wake()
  }

  read(maxBytes: number): Promise<Uint8Array | number> {
    if (this.#state === 'ERROR') return Promise.resolve(-errno.ENODEV)
    this.#queue.skipLeftOut()
    if (this.#queue.isEmpty) return Promise.resolve(this.#state === 'PRE_COPY' ? -errno.ENOMSG : 0)
    const bytes = this.#queue.read(maxBytes)
    const fault = this.#kernel.faults.take('READ')
    if (fault?.errno !== undefined) return Promise.resolve(-errno[fault.errno])
    return Promise.resolve(bytes.length > 0 ? bytes : 0)
  }

  /** Opened for reading only. */
  write(): Promise<number> {
    return Promise.resolve(-errno.EBADF)
  }

  /**
   * The device has no notion of pre-copy: it is asked for its size now and then, which is never 0, so that whoever has
   * read all gets all again. A record that cannot be made leaves the session as it was.
   */
  async precopyInfo(): Promise<PrecopyInfoAnswer> {
    const size = await this.#sizeNow()
    if (size < 0) return info({ result: size })
    if (this.#state === 'ERROR') return info({ result: -errno.ENODEV })
    const { position, end } = this.#queue
    if (this.#initialEnd > position) return info({ initialBytes: this.#initialEnd - position })
    const dirtyBytes = end - position + size
    const result = end === position && size > 0 ? await this.#record(true, size) : 0
    return info(result < 0 ? { result } : { dirtyBytes })
  }

  /** 0 where it was asked within the last second. */
  async #sizeNow(): Promise<number> {
    const now = this.#kernel.clock.now()
    if (now - this.#asked <= askEvery) return 0
    this.#asked = now
    const { errno: answer, bytes } = await this.#kernel.firmware.query(false)
    return answer || bytes
  }

  async #record(runs: boolean, size?: number): Promise<number> {
    const { firmware } = this.#kernel
    const asked = size === undefined ? await firmware.query(false) : { errno: 0, bytes: size }
    if (asked.errno < 0) return asked.errno
    const saved = await firmware.save({ incremental: false, track: runs, room: asked.bytes })
    if (saved.image === undefined) return saved.errno
    this.#add(saved.image)
    return 0
  }

  /** record_size, flags 0, tag 0: struct virtiovf_migration_header is mlx5's. */
  #add(image: SavedImage): void {
    this.#queue.add(queuedBytes(imageRecord(image.length)))
    this.#queue.add({ length: image.length, copy: (from, into) => image.copy(from, into) })
    this.changed.wake()
  }
}

function info(told: Partial<PrecopyInfoAnswer>): PrecopyInfoAnswer {
  return { result: 0, initialBytes: 0, dirtyBytes: 0, flags: 0, ...told }
}
