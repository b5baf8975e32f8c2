// SPDX-License-Identifier: Apache-2.0
import type { PrecopyInfoAnswer } from '../../backend/seam.ts'
import { errno } from '../../kernel/errno.ts'
import type { Saved, Sizes } from '../firmware.ts'
import { pageBytes } from '../state.ts'
import { status } from '../status.ts'
import { WaitQueue } from '../wait.ts'
import { POLLIN, POLLRDHUP, POLLRDNORM, type Kernel, type Session } from './driver.ts'
import {
  buffersOfChunks,
  newBuffer,
  SessionBuffers,
  type DataBuffer,
  type Preparation,
} from './mlx5_buffers.ts'
import { InitialRegion, makesImage, tell } from './mlx5_precopy_info.ts'
import { queuedBytes, RecordQueue } from './mlx5_queue.ts'
import { SaveSlot } from './mlx5_save_slot.ts'
import { imageRecord, recordHeaderBytes, stopCopySizeRecord } from './mlx5_record.ts'

/** enum mlx5_vf_migf_state, which of them the session is in; `'initial'` until its first SAVE is done. */
export type SavingState =
  'initial' | 'PRE_COPY' | 'PRE_COPY_ERROR' | 'SAVE_STOP_COPY_CHUNK' | 'COMPLETE' | 'ERROR'

/** What a session asks of the driver around it. */
export interface SavingHost {
  readonly isDetached: boolean
  /** The session of the device now: this one, a newer one, or none. */
  readonly saving: Mlx5Saving | undefined
}

/** What an incremental query is made for. */
interface QueryFor {
  readonly isFinal?: boolean
  readonly isCleanup?: boolean
}

const stopCopySizeBytes = 24
const noInfo = { initialBytes: 0, dirtyBytes: 0, flags: 0 }

/**
 * A saving data_fd of mlx5: struct mlx5_vf_migration_file in drivers/vfio/pci/mlx5/main.c and cmd.c. One SAVE runs at
 * a time; what it gave waits to be read, headers and images. Calls with the state mutex held unless told otherwise.
 */
export class Mlx5Saving implements Session {
  readonly direction = 'read'
  readonly changed: WaitQueue = new WaitQueue()
  readonly #kernel: Kernel
  readonly #host: SavingHost
  readonly #queue: RecordQueue
  /** Where its SAVE runs. */
  readonly slot: SaveSlot
  readonly #buffers = new SessionBuffers()
  readonly #initial = new InitialRegion()
  #state: SavingState = 'initial'
  #readyChunks = 0
  /** What the next chunk needs, which waits for a buffer. */
  #delayed = 0

  constructor(kernel: Kernel, host: SavingHost) {
    this.#kernel = kernel
    this.#host = host
    this.slot = new SaveSlot(kernel)
    this.#queue = new RecordQueue(kernel.faults.take('STREAM'))
  }

  /** Sets buffers aside, queues record 0, and begins the first SAVE: mlx5vf_pci_save_device_data() behind its query. */
  async begin(preparation: Preparation): Promise<number> {
    const { track } = preparation
    const pages = this.#buffers.reserve(preparation, this.#kernel.options.chunkSize !== undefined)
    this.#queue.add(queuedBytes(stopCopySizeRecord(pages * pageBytes)))
    if (track) this.#initial.add(stopCopySizeBytes)
    const buffer = track ? newBuffer(pages) : this.#buffers.takeReserved(0)
    return await this.#save(buffer, false, track)
  }

  /** PRE_COPY_P2P -> STOP_COPY behind the suspension: mlx5vf_pci_save_device_inc_data(). */
  async finish(): Promise<number> {
    if (this.#state === 'ERROR') return -errno.ENODEV
    const sizes = await this.query({ isFinal: true })
    if (sizes.errno < 0) return this.#fail(sizes.errno)
    if (this.#kernel.faults.take('ALLOC_STOP_COPY')) return this.#fail(-errno.ENOMEM)
    const answer = await this.#save(this.#buffers.takeReserved(0, sizes.bytes), true, false)
    return answer < 0 ? this.#fail(answer) : 0
  }

  /** Pre-copy is given up; what the firmware saves for it is thrown away. 0, or -errno. */
  async giveUp(): Promise<number> {
    const sizes = await this.query({ isCleanup: true })
    if (sizes.errno < 0) return sizes.errno
    return await this.#save(this.#buffers.take(sizes.bytes), false, false)
  }

  /** The incremental query, which waits for a SAVE that runs. */
  async query({ isFinal = false, isCleanup = false }: QueryFor = {}): Promise<Sizes> {
    const none = { status: 0, bytes: 0, total: 0, reinit: false }
    if (this.#host.isDetached) return { ...none, errno: -errno.ENOTCONN }
    const interrupted = await this.slot.lock('WAIT_QUERY')
    if (interrupted < 0) return { ...none, errno: interrupted }
    try {
      const fellBack = this.#state === 'PRE_COPY_ERROR' && !isCleanup
      if (fellBack && !isFinal) return { ...none, errno: 0 }
      if (this.#state === 'ERROR') return { ...none, errno: -errno.ENODEV }
      return await this.#kernel.firmware.query(!fellBack)
    } finally {
      this.slot.unlock()
    }
  }

  /** mlx5vf_disable_fds(): waits for a SAVE that runs. Answers the state that the session was in. */
  async end(): Promise<SavingState> {
    await this.slot.ended()
    const last = this.#state
    this.#queue.clear()
    this.#setState('ERROR')
    return last
  }

  /** mlx5vf_save_read() with O_NONBLOCK, without the state mutex. */
  read(maxBytes: number): Promise<Uint8Array | number> {
    const empty = { PRE_COPY: -errno.ENOMSG, PRE_COPY_ERROR: -errno.ENOMSG, COMPLETE: 0 } as const
    const idle = this.#state in empty ? empty[this.#state as keyof typeof empty] : -errno.EAGAIN
    if (this.#state === 'ERROR') return Promise.resolve(-errno.ENODEV)
    this.#queue.skipLeftOut()
    if (this.#queue.isEmpty) return Promise.resolve(idle)
    const bytes = this.#queue.read(maxBytes)
    const fault = this.#kernel.faults.take('READ')
    if (fault?.errno !== undefined) return Promise.resolve(-errno[fault.errno])
    return Promise.resolve(bytes.length > 0 ? bytes : 0)
  }

  /** Opened for reading only. */
  write(): Promise<number> {
    return Promise.resolve(-errno.EBADF)
  }

  /** mlx5vf_save_poll(), without the state mutex. */
  poll(): number {
    if (this.#state === 'ERROR') return POLLIN | POLLRDNORM | POLLRDHUP
    return !this.#queue.isEmpty || this.#state === 'COMPLETE' ? POLLIN | POLLRDNORM : 0
  }

  /** mlx5vf_precopy_ioctl() behind the check of the state. */
  async precopyInfo(): Promise<PrecopyInfoAnswer> {
    const asked = await this.#askIncrement()
    if (asked.errno < 0) return { ...noInfo, result: asked.errno }
    if (this.#state === 'ERROR') return { ...noInfo, result: -errno.ENODEV }
    const { kernel } = this.#kernel.options
    const { position, end } = this.#queue
    const unread = end - position
    const reinit = kernel !== '6.12' && asked.reinit && this.#kernel.precopyInfoV2
    if (reinit) this.#initial.restart(position, unread)
    const initialLeft = this.#initial.left(position)
    const findings = { kernel, unread, initialLeft, increment: asked.bytes, reinit }
    const result = makesImage(findings) ? await this.#saveIncrement(asked.bytes, reinit) : 0
    return result < 0 ? { ...noInfo, result } : tell(findings)
  }

  /** In PRE_COPY_P2P there is nothing that could be saved, and nothing is asked. */
  async #askIncrement(): Promise<Sizes> {
    const none = { status: 0, errno: 0, bytes: 0, total: 0, reinit: false }
    if (this.#kernel.state !== 'PRE_COPY') return none
    const { saving, isDetached } = this.#host
    if (isDetached) return { ...none, errno: -errno.ENOTCONN }
    if (saving === undefined)
      return this.#kernel.oops('precopy info waits for saving_migf->save_comp, and saving_migf is NULL')
    return await saving.query()
  }

  async #saveIncrement(bytes: number, countsAsInitial: boolean): Promise<number> {
    if (this.#kernel.faults.take('ALLOC_PRECOPY_INFO')) return this.#fail(-errno.ENOMEM)
    const buffer = this.#buffers.take(bytes)
    buffer.countsAsInitial = countsAsInitial
    const answer = await this.#save(buffer, true, true)
    return answer < 0 ? this.#fail(answer) : 0
  }

  /** mlx5vf_cmd_save_vhca_state(): 0 when the firmware has it, and what becomes of it shows in the session. */
  async #save(buffer: DataBuffer, incremental: boolean, track: boolean): Promise<number> {
    const interrupted = await this.slot.lock('WAIT_SAVE')
    if (interrupted < 0) return interrupted
    const inPreCopy = this.#state === 'PRE_COPY' || this.#state === 'PRE_COPY_ERROR'
    const isCleanup = inPreCopy && !track && !incremental
    const isFinal = !track && !isCleanup
    const demand = {
      incremental: incremental && this.#state !== 'PRE_COPY_ERROR',
      track,
      room: buffer.pages * pageBytes,
    }
    if (isFinal) this.#setState('SAVE_STOP_COPY_CHUNK')
    return this.slot.submit(demand, isCleanup, saved => {
      if (saved.errno === 0) this.#onSaved(saved, buffer, isFinal)
      else this.#onFailed(saved, buffer, isFinal)
    })
  }

  /** mlx5vf_save_callback(). */
  #onSaved({ image, next }: Saved, buffer: DataBuffer, isFinal: boolean): void {
    const isInitial = this.#state !== 'PRE_COPY' && !isFinal
    const { chunk } = buffer
    const isMore = chunk > 0 && next > 0
    if (image !== undefined) {
      this.#queue.add(queuedBytes(imageRecord(image.length)))
      this.#queue.add({
        length: image.length,
        copy: (from, into) => image.copy(from, into),
        done: () => this.#onRead(buffer),
      })
      if (isInitial || buffer.countsAsInitial) this.#initial.add(recordHeaderBytes + image.length)
    }
    buffer.countsAsInitial = false
    if (chunk > 0) this.#readyChunks++
    const mustWait = isMore && this.#readyChunks >= buffersOfChunks
    if (mustWait) this.#delayed = next
    if (isInitial) this.#state = 'PRE_COPY'
    if (isFinal && !isMore) this.#state = 'COMPLETE'
    this.changed.wake()
    if (isMore && !mustWait) this.#saveChunk((chunk % buffersOfChunks) + 1, next)
  }

  /** mlx5vf_mig_file_cleanup_cb(). */
  #onFailed(saved: Saved, buffer: DataBuffer, isFinal: boolean): void {
    this.#buffers.giveBack(buffer)
    const isTracking = saved.status === status.BAD_RESOURCE_STATE && !isFinal
    this.#setState(isTracking ? 'PRE_COPY_ERROR' : 'ERROR')
  }

  /** An image was read to its end: its memory is for the next one. */
  #onRead(buffer: DataBuffer): void {
    this.#buffers.giveBack(buffer)
    if (buffer.chunk === 0) return
    this.#readyChunks--
    const next = this.#delayed
    this.#delayed = 0
    if (next > 0) this.#saveChunk(buffer.chunk, next)
  }

  /** mlx5vf_mig_file_save_work(): in a thread of its own, which waits for the state mutex. */
  #saveChunk(chunk: number, bytes: number): void {
    const work = this.#kernel.mutex.run(async () => {
      if (this.#state === 'ERROR') return
      const answer = await this.#save(this.#buffers.takeReserved(chunk - 1, bytes), true, false)
      if (answer < 0) this.#fail(answer)
    })
    // A kernel that has crashed tells whoever calls it.
    work.catch(() => undefined)
  }

  #fail(answer: number): number {
    this.#setState('ERROR')
    return answer
  }

  #setState(state: SavingState): void {
    this.#state = state
    this.changed.wake()
  }
}
