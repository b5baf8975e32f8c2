// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { imageHeaderBytes, type SavedImage } from '../image.ts'
import { until, WaitQueue } from '../wait.ts'
import type { Kernel, Session } from './driver.ts'
import { queuedBytes, RecordQueue } from './mlx5_queue.ts'
import { encodeDescriptor, encodePacketHeader, packetType } from './xe_packets.ts'
import { ggttBytes, identity, mmioBytes, vramPieces } from './xe_resources.ts'

/**
 * A saving data_fd of xe: xe_sriov_packet.c and xe_sriov_pf_migration.c of Linux 7.2. The device saves beside the SET that
 * began it; a read sleeps until it has what it was asked for or all that there is, and O_NONBLOCK is nothing to it.
 */
export class XeSaving implements Session {
  readonly direction = 'read'
  readonly changed: WaitQueue = new WaitQueue()
  readonly #kernel: Kernel
  readonly #queue: RecordQueue
  #isDead = false
  /** How the SAVE ended: 0 or -errno. */
  #saved: number | undefined
  /** The read that holds the session's mutex. */
  #reading: Promise<unknown> = Promise.resolve()

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.#queue = new RecordQueue(kernel.faults.take('STREAM'))
    this.#add(packetType.descriptor, encodeDescriptor(identity))
  }

  /** Submits the SAVE. One that takes no time has ended when this has. */
  async begin(): Promise<void> {
    const { firmware, options } = this.#kernel
    const demand = { incremental: false, track: false, room: imageHeaderBytes + options.size }
    const saving = firmware.save(demand).then(({ image, errno: answer }) => {
      if (image) this.#addImage(image)
      this.#saved = answer
      this.changed.wake()
    })
    await Promise.race([saving, new Promise<void>(resolve => setImmediate(resolve))])
    // The call goes on: virtual time has to stand still for it.
    this.#kernel.clock.touch()
  }

  /** What leaving STOP_COPY finds: everything was produced, or not. */
  get isDone(): boolean {
    return this.#saved === 0
  }

  /** Waits for a read that sleeps. */
  async end(): Promise<void> {
    await this.#reading
    this.#isDead = true
    this.#queue.clear()
    this.changed.wake()
  }

  async read(maxBytes: number): Promise<Uint8Array | number> {
    if (this.#isDead) return -errno.ENODEV
    const reading = this.#read(maxBytes)
    this.#reading = reading
    return await reading
  }

  /** Opened for reading only. */
  write(): Promise<number> {
    return Promise.resolve(-errno.EBADF)
  }

  async #read(maxBytes: number): Promise<Uint8Array | number> {
    const unread = (): number => this.#queue.end - this.#queue.position
    await until(this.changed, () => unread() >= maxBytes || this.#saved !== undefined || undefined)
    if (unread() < maxBytes && this.#saved !== 0) return -errno.EIO
    this.#queue.skipLeftOut()
    if (this.#queue.isEmpty) return 0
    const fault = this.#kernel.faults.take('READ')
    if (fault?.errno !== undefined) return -errno[fault.errno]
    const bytes = this.#queue.read(maxBytes)
    return bytes.length === 0 ? 0 : bytes
  }

  /** The image's header is what the firmware keeps to itself, its pages are the device's memory. */
  #addImage(image: SavedImage): void {
    const header = new Uint8Array(imageHeaderBytes)
    image.copy(0, header)
    this.#add(packetType.guc, header)
    this.#add(packetType.ggtt, Buffer.alloc(ggttBytes))
    this.#add(packetType.mmio, Buffer.alloc(mmioBytes))
    for (const { offset, length } of vramPieces(image.length - imageHeaderBytes)) {
      this.#queue.add(queuedBytes(encodePacketHeader(packetType.vram, length, offset)))
      const begin = imageHeaderBytes + offset
      this.#queue.add({ length, copy: (from, into) => image.copy(begin + from, into) })
    }
    this.#add(packetType.trailer, new Uint8Array(0))
  }

  #add(type: number, bytes: Uint8Array): void {
    this.#queue.add(queuedBytes(encodePacketHeader(type, bytes.length)))
    if (bytes.length > 0) this.#queue.add(queuedBytes(bytes))
  }
}
