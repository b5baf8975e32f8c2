// SPDX-License-Identifier: Apache-2.0
import type { PrecopyInfoAnswer } from '../../backend/seam.ts'
import { errno } from '../../kernel/errno.ts'
import type { Saved, Sizes } from '../firmware.ts'
import { pageBytes } from '../state.ts'
import { Semaphore } from '../semaphore.ts'
import { status } from '../status.ts'
import { WaitQueue } from '../wait.ts'
import { POLLIN, POLLRDHUP, POLLRDNORM, type Kernel, type Session } from './driver.ts'
import { queuedBytes, RecordQueue, type DataBuffer } from './mlx5_queue.ts'
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

/** With how many buffers a session begins. */
export interface Preparation {
  /** Bytes that the first SAVE needs. */
  readonly bytes: number
  /** Bytes of all chunks together. */
  readonly total: number
  readonly track: boolean
}

/** What an incremental query is made for. */
interface QueryFor {
  readonly isFinal?: boolean
  readonly isCleanup?: boolean
}

const maxChunkBytes = 8 * 1024 * 1024
/** The command's field for it has 32 bits. */
const maxSaveBytes = 2 ** 32 - pageBytes
const stopCopySizeBytes = 24
const buffersOfChunks = 2

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
  readonly #saveDone = new Semaphore()
  readonly #free: DataBuffer[] = []
  readonly #reserved: (DataBuffer | undefined)[] = []
  #state: SavingState = 'initial'
  #running: Promise<void> = Promise.resolve()
  #initialStart = 0
  #initialBytes = 0
  #readyChunks = 0
  /** What the next chunk needs, which waits for a buffer. */
  #delayed = 0

  constructor(kernel: Kernel, host: SavingHost) {
    this.#kernel = kernel
    this.#host = host
    this.#queue = new RecordQueue(kernel.faults.take('STREAM'))
  }

  get state(): SavingState {
    return this.#state
  }

  /** Sets buffers aside, queues record 0, and begins the first SAVE: mlx5vf_pci_save_device_data() behind its query. */
  async begin({ bytes, total, track }: Preparation): Promise<number> {
    const isChunked = this.#kernel.options.chunkSize !== undefined
    const wanted = isChunked
      ? Math.max(bytes, Math.min(maxChunkBytes, total))
      : bytes + (track ? Math.floor(bytes / 10) : 0)
    const pages = Math.ceil(Math.min(wanted, maxSaveBytes) / pageBytes)
    for (let chunk = 1; chunk <= (isChunked ? buffersOfChunks : 1); chunk++) {
      this.#reserved[chunk - 1] = { pages, chunk: isChunked ? chunk : 0, countsAsInitial: false }
    }
    this.#queue.add(queuedBytes(stopCopySizeRecord(pages * pageBytes)))
    if (track) this.#initialBytes = stopCopySizeBytes
    const buffer = track ? { pages, chunk: 0, countsAsInitial: false } : this.#takeReserved(0, 0)
    return await this.#save(buffer, false, track)
  }

  /** PRE_COPY_P2P -> STOP_COPY behind the suspension: mlx5vf_pci_save_device_inc_data(). */
  async finish(): Promise<number> {
    if (this.#state === 'ERROR') return -errno.ENODEV
    const sizes = await this.query({ isFinal: true })
    if (sizes.errno < 0) return this.#fail(sizes.errno)
    if (this.#kernel.faults.take('ALLOC_STOP_COPY')) return this.#fail(-errno.ENOMEM)
    const answer = await this.#save(this.#takeReserved(0, sizes.bytes), true, false)
    return answer < 0 ? this.#fail(answer) : 0
  }

  /** Pre-copy is given up; what the firmware saves for it is thrown away. 0, or -errno. */
  async giveUp(): Promise<number> {
    const sizes = await this.query({ isCleanup: true })
    if (sizes.errno < 0) return sizes.errno
    return await this.#save(this.#takeFree(sizes.bytes), false, false)
  }

  /** The incremental query, which waits for a SAVE that runs. */
  async query({ isFinal = false, isCleanup = false }: QueryFor = {}): Promise<Sizes> {
    const none = { status: 0, bytes: 0, total: 0, reinit: false }
    if (this.#host.isDetached) return { ...none, errno: -errno.ENOTCONN }
    const interrupted = await this.lockSave('WAIT_QUERY')
    if (interrupted < 0) return { ...none, errno: interrupted }
    try {
      const fellBack = this.#state === 'PRE_COPY_ERROR' && !isCleanup
      if (fellBack && !isFinal) return { ...none, errno: 0 }
      if (this.#state === 'ERROR') return { ...none, errno: -errno.ENODEV }
      return await this.#kernel.firmware.query(!fellBack)
    } finally {
      this.unlockSave()
    }
  }

  /** Waits until no SAVE runs, and lets none begin. 0, or -EINTR. */
  async lockSave(point: 'WAIT_SUSPEND' | 'WAIT_QUERY' | 'WAIT_SAVE'): Promise<number> {
    const fault = this.#kernel.faults.take(point)
    if (fault?.errno !== undefined) return -errno[fault.errno]
    await this.#saveDone.take()
    return 0
  }

  unlockSave(): void {
    this.#saveDone.release()
  }

  /** mlx5vf_disable_fds(): waits for a SAVE that runs. Answers the state that the session was in. */
  async end(): Promise<SavingState> {
    await this.#running
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
    if (this.#queue.isEmpty) return Promise.resolve(idle)
    const bytes = this.#queue.read(maxBytes)
    const fault = this.#kernel.faults.take('READ')
    if (fault?.errno !== undefined) return Promise.resolve(-errno[fault.errno])
    // All of it was left out of the stream: there is nothing, as far as anybody sees.
    return bytes.length > 0 ? Promise.resolve(bytes) : this.read(maxBytes)
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
    if (asked.errno < 0) return info({ result: asked.errno })
    if (this.#state === 'ERROR') return info({ result: -errno.ENODEV })
    const reinit = asked.reinit && this.#kernel.precopyInfoV2
    const { position, end } = this.#queue
    const unread = end - position
    if (reinit) {
      this.#initialStart = position
      this.#initialBytes = unread
    }
    const initialLeft = this.#initialStart + this.#initialBytes - position
    const saves = (reinit || unread === 0) && asked.bytes > 0
    // 6.12 does not count the header of the record that is to come.
    const coming = saves && this.#kernel.options.kernel !== '6.12' ? recordHeaderBytes : 0
    const told = reinit
      ? { initialBytes: unread + asked.bytes + coming, flags: 1 }
      : initialLeft > 0
        ? { initialBytes: initialLeft }
        : { dirtyBytes: unread + asked.bytes + coming }
    const result = saves ? await this.#saveIncrement(asked.bytes, reinit) : 0
    return info(result < 0 ? { result } : told)
  }

  /** In PRE_COPY_P2P there is nothing that could be saved, and nothing is asked. */
  async #askIncrement(): Promise<Sizes> {
    const none = { status: 0, errno: 0, bytes: 0, total: 0, reinit: false }
    if (this.#kernel.state !== 'PRE_COPY') return none
    const { saving, isDetached } = this.#host
    if (isDetached) return { ...none, errno: -errno.ENOTCONN }
    if (saving === undefined)
      return this.#kernel.oops('precopy info waits for saving_migf->save_comp, and saving_migf is NULL')
    const sizes = await saving.query()
    return this.#kernel.options.kernel === '6.12' ? { ...sizes, reinit: false } : sizes
  }

  async #saveIncrement(bytes: number, countsAsInitial: boolean): Promise<number> {
    if (this.#kernel.faults.take('ALLOC_PRECOPY_INFO')) return this.#fail(-errno.ENOMEM)
    const buffer = this.#takeFree(bytes)
    buffer.countsAsInitial = countsAsInitial
    const answer = await this.#save(buffer, true, true)
    return answer < 0 ? this.#fail(answer) : 0
  }

  /** mlx5vf_cmd_save_vhca_state(): 0 when the firmware has it, and what becomes of it shows in the session. */
  async #save(buffer: DataBuffer, incremental: boolean, track: boolean): Promise<number> {
    const interrupted = await this.lockSave('WAIT_SAVE')
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
    const fault = this.#kernel.faults.take('SAVE_SUBMIT')
    if (fault?.errno !== undefined) {
      this.unlockSave()
      return -errno[fault.errno]
    }
    const saving = this.#kernel.firmware.save(demand, isCleanup ? ['SAVE_CLEANUP', 'SAVE'] : ['SAVE'])
    this.#running = saving.then(saved => {
      if (saved.errno === 0) this.#onSaved(saved, buffer, isFinal)
      else this.#onFailed(saved, buffer, isFinal)
      this.unlockSave()
    })
    return 0
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
      if (isInitial || buffer.countsAsInitial) this.#initialBytes += recordHeaderBytes + image.length
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
    this.#putFree(buffer)
    const isTracking = saved.status === status.BAD_RESOURCE_STATE && !isFinal
    this.#setState(isTracking ? 'PRE_COPY_ERROR' : 'ERROR')
  }

  /** An image was read to its end: its memory is for the next one. */
  #onRead(buffer: DataBuffer): void {
    if (buffer.chunk === 0) {
      this.#putFree(buffer)
      return
    }
    this.#reserved[buffer.chunk - 1] = buffer
    this.#readyChunks--
    const next = this.#delayed
    this.#delayed = 0
    if (next > 0) this.#saveChunk(buffer.chunk, next)
  }

  /** mlx5vf_mig_file_save_work(): in a thread of its own, which waits for the state mutex. */
  #saveChunk(chunk: number, bytes: number): void {
    const work = this.#kernel.mutex.run(async () => {
      if (this.#state === 'ERROR') return
      const answer = await this.#save(this.#takeReserved(chunk - 1, bytes), true, false)
      if (answer < 0) this.#fail(answer)
    })
    // A kernel that has crashed tells whoever calls it.
    work.catch(() => undefined)
  }

  #takeReserved(index: number, bytes: number): DataBuffer {
    const buffer = this.#reserved[index]
    if (buffer === undefined) throw new Error(`buffer ${index} of the session is in use`)
    this.#reserved[index] = undefined
    if (buffer.pages * pageBytes >= bytes) return buffer
    const larger = this.#takeFree(bytes)
    larger.chunk = buffer.chunk
    this.#putFree(buffer)
    return larger
  }

  /** mlx5vf_get_data_buffer(): the first that is large enough; smaller ones before it are freed. */
  #takeFree(bytes: number): DataBuffer {
    const pages = Math.ceil(bytes / pageBytes)
    for (let buffer = this.#free.shift(); buffer; buffer = this.#free.shift()) {
      if (buffer.pages >= pages) return buffer
    }
    return { pages, chunk: 0, countsAsInitial: false }
  }

  #putFree(buffer: DataBuffer): void {
    this.#free.push({ ...buffer, chunk: 0, countsAsInitial: false })
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

function info(told: Partial<PrecopyInfoAnswer>): PrecopyInfoAnswer {
  return { result: 0, initialBytes: 0, dirtyBytes: 0, flags: 0, ...told }
}
