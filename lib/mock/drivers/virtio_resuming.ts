// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { imageHeaderBytes } from '../image.ts'
import { WaitQueue } from '../wait.ts'
import { noMemoryFor } from './arcs.ts'
import type { Kernel, Session } from './driver.ts'
import { parseRecordHeader, recordHeaderBytes, type RecordHeader } from './mlx5_record.ts'
import { RecordReader } from './record_reader.ts'

/** VIRTIOVF_MIGF_HEADER_TAG_DEVICE_DATA: the only tag that there is. */
const deviceData = 0
const mostBytes = 2n ** 32n - 1n

/**
 * A resuming data_fd of virtio: drivers/vfio/pci/virtio/migrate.c of Linux 7.2. Each record is loaded in the write of its
 * last byte; after any failure every write answers ENODEV. When the session is over its memory is gone, and a write looks
 * at that memory first: by reading the driver, such a write is a crash.
 */
export class VirtioResuming implements Session {
  readonly direction = 'write'
  readonly changed: WaitQueue = new WaitQueue()
  readonly #kernel: Kernel
  readonly #records: RecordReader<RecordHeader>
  #hasFailed = false
  #isOver = false

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.#records = new RecordReader({
      headerBytes: recordHeaderBytes,
      mostKept: imageHeaderBytes + kernel.options.size,
      parse: bytes => this.#parse(parseRecordHeader(bytes)),
      take: ({ tag }, words, length) => this.#take(tag, words, length),
    })
  }

  end(): void {
    this.#isOver = true
    this.changed.wake()
  }

  /** Opened for writing only. */
  read(): Promise<number> {
    return Promise.resolve(-errno.EBADF)
  }

  async write(data: Uint8Array): Promise<number> {
    if (this.#isOver) this.#kernel.oops('write() looks at migf->buf->start_pos, and migf->buf is NULL')
    return await this.#kernel.mutex.run(async () => {
      if (this.#hasFailed || this.#isOver) return -errno.ENODEV
      const fault = this.#kernel.faults.take('WRITE')
      const answer = fault?.errno === undefined ? await this.#records.write(data) : -errno[fault.errno]
      if (answer < 0) this.#hasFailed = true
      return answer < 0 ? answer : data.length
    })
  }

  #parse(header: RecordHeader): { header: RecordHeader; length: number } | number {
    if (header.size > mostBytes) return -errno.ENOMEM
    if (header.tag !== deviceData && !header.isOptional) return -errno.EOPNOTSUPP
    const failed = noMemoryFor(this.#kernel, 'ALLOC_RECORD')
    return failed || { header, length: Number(header.size) }
  }

  /** What is optional is passed over. */
  async #take(tag: number, words: Uint32Array, length: number): Promise<number> {
    return tag === deviceData ? (await this.#kernel.firmware.load(words, length)).errno : 0
  }
}
