// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { imageHeaderBytes } from '../image.ts'
import { pageBytes } from '../state.ts'
import { WaitQueue } from '../wait.ts'
import type { Kernel, Session } from './driver.ts'
import { parseRecordHeader, recordHeaderBytes, recordTag } from './mlx5_record.ts'

type Step =
  'READ_HEADER' | 'PREP_HEADER_DATA' | 'READ_HEADER_DATA' | 'PREP_IMAGE' | 'READ_IMAGE' | 'LOAD_IMAGE'

const maxLoadBytes = 2 ** 32 - 1

/**
 * A resuming data_fd of mlx5: mlx5vf_resume_write() in drivers/vfio/pci/mlx5/main.c. Records may come in pieces of any
 * length; each image is loaded in the write of its last byte. After any failure every write answers ENODEV.
 */
export class Mlx5Resuming implements Session {
  readonly direction = 'write'
  readonly changed: WaitQueue = new WaitQueue()
  readonly #kernel: Kernel
  /** Where headers go, and behind them what the first bytes of other records say. */
  readonly #header = new Uint8Array(recordHeaderBytes)
  #image = new Uint32Array(0)
  /** Pages of memory that the kernel would have for images. */
  #pages = 0
  #announced = 0
  #dead = false
  #step: Step = 'READ_HEADER'
  #recordBytes = 0
  #recordTag = 0
  /** Of the header or the record, bytes that are there. */
  #have = 0

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  end(): void {
    this.#dead = true
    this.#image = new Uint32Array(0)
  }

  /** Opened for writing only. */
  read(): Promise<number> {
    return Promise.resolve(-errno.EBADF)
  }

  async write(data: Uint8Array): Promise<number> {
    return await this.#kernel.mutex.run(async () => {
      if (this.#dead) return -errno.ENODEV
      const answer = await this.#take(data)
      if (answer < 0) this.#dead = true
      return answer < 0 ? answer : data.length
    })
  }

  /** As the kernel's loop: a step that needs no byte is made at once where the one before asks for it. */
  async #take(data: Uint8Array): Promise<number> {
    const fault = this.#kernel.faults.take('WRITE')
    if (fault?.errno !== undefined) return -errno[fault.errno]
    let hasWork = false
    for (let at = 0; at < data.length || hasWork;) {
      hasWork = false
      switch (this.#step) {
        case 'READ_HEADER': {
          at += this.#fill(this.#header, recordHeaderBytes, data.subarray(at))
          if (this.#have < recordHeaderBytes) break
          const answer = this.#parseHeader()
          if (answer < 0) return answer
          hasWork = true
          break
        }
        case 'PREP_HEADER_DATA':
          this.#next('READ_HEADER_DATA')
          break
        case 'READ_HEADER_DATA':
          at += this.#fill(this.#header, this.#recordBytes, data.subarray(at))
          if (this.#have === this.#recordBytes) this.#takeHeaderData()
          break
        case 'PREP_IMAGE': {
          const answer = this.#prepareImage()
          if (answer < 0) return answer
          break
        }
        case 'READ_IMAGE':
          at += this.#fill(new Uint8Array(this.#image.buffer), this.#recordBytes, data.subarray(at))
          hasWork = this.#have === this.#recordBytes
          if (hasWork) this.#step = 'LOAD_IMAGE'
          break
        case 'LOAD_IMAGE': {
          const answer = await this.#loadImage()
          if (answer < 0) return answer
          break
        }
      }
    }
    return 0
  }

  /** Takes what the record lacks; what `into` has no room for is counted and dropped. */
  #fill(into: Uint8Array, length: number, data: Uint8Array): number {
    const count = Math.min(data.length, length - this.#have)
    const room = Math.max(0, into.length - this.#have)
    if (room > 0) into.set(data.subarray(0, Math.min(count, room)), this.#have)
    this.#have += count
    return count
  }

  #next(step: Step): void {
    this.#step = step
    this.#have = 0
  }

  #parseHeader(): number {
    const { size, isOptional, tag } = parseRecordHeader(this.#header)
    if (size > BigInt(maxLoadBytes)) return -errno.ENOMEM
    const isKnown = tag === recordTag.FW_DATA || tag === recordTag.STOP_COPY_SIZE
    if (!isKnown && !isOptional) return -errno.EOPNOTSUPP
    this.#recordBytes = Number(size)
    this.#recordTag = tag
    this.#next(tag === recordTag.FW_DATA ? 'PREP_IMAGE' : 'PREP_HEADER_DATA')
    return 0
  }

  #takeHeaderData(): void {
    if (this.#recordTag === recordTag.STOP_COPY_SIZE) {
      const announced = parseRecordHeader(this.#header).size
      this.#announced = Math.min(Number(announced), maxLoadBytes)
    }
    this.#next('READ_HEADER')
  }

  #prepareImage(): number {
    const pages = Math.ceil(Math.max(this.#recordBytes, this.#announced) / pageBytes)
    if (this.#pages < pages) {
      if (this.#kernel.faults.take('ALLOC_RECORD')) return -errno.ENOMEM
      this.#pages = pages
    }
    // No image of this device is longer: the rest of one that is can only be refused, and is not kept.
    const most = imageHeaderBytes + this.#kernel.options.size
    const words = Math.ceil(Math.min(this.#recordBytes, most) / 4)
    if (this.#image.length < words) this.#image = new Uint32Array(words)
    this.#next('READ_IMAGE')
    return 0
  }

  async #loadImage(): Promise<number> {
    // No memory was ever registered with the device.
    if (this.#pages === 0) return -errno.EINVAL
    const { errno: answer } = await this.#kernel.firmware.load(this.#image, this.#recordBytes)
    if (answer === 0) this.#next('READ_HEADER')
    return answer
  }
}
