// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { untilTimeout, WaitQueue } from '../wait.ts'
import type { Kernel, Session } from './driver.ts'
import { RecordReader } from './record_reader.ts'
import {
  checkDescriptor,
  decodePacketHeader,
  isKnownHeader,
  packetHeaderBytes,
  packetType,
  type PacketHeader,
} from './xe_packets.ts'
import { ggttBytes, gucBytes, identity, mmioBytes, vramPieceBytes } from './xe_resources.ts'

/** What kvzalloc() gives at most. */
const mostBytes = 2 ** 31 - 1
/** How long RESUMING -> STOP waits for the trailer, in milliseconds. */
const restoreTimeout = 20_000

/**
 * A resuming data_fd of xe: xe_sriov_packet.c, xe_sriov_pf_migration.c and xe_gt_sriov_pf_control.c of Linux 7.2. Packets
 * are taken when they are whole, and applied beside the write: one that cannot be applied is told by the next write, or by
 * RESUMING -> STOP. A write that fails ends nothing.
 */
export class XeResuming implements Session {
  readonly direction = 'write'
  readonly changed: WaitQueue = new WaitQueue()
  readonly #kernel: Kernel
  readonly #packets: RecordReader<PacketHeader>
  /** The image as it comes together. */
  #image: Uint8Array | undefined
  #isDead = false
  /** Undefined while the trailer has not come, or what it completed is being loaded; then 0, or -EIO. */
  #restored: number | undefined

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.#packets = new RecordReader({
      headerBytes: packetHeaderBytes,
      mostKept: Math.min(vramPieceBytes, gucBytes + kernel.options.size),
      parse: bytes => this.#parse(decodePacketHeader(bytes)),
      take: (header, words, length) => this.#take(header, Buffer.from(words.buffer), length),
    })
  }

  /** Opened for writing only. */
  read(): Promise<number> {
    return Promise.resolve(-errno.EBADF)
  }

  async write(data: Uint8Array): Promise<number> {
    if (this.#isDead) return -errno.ENODEV
    const fault = this.#kernel.faults.take('WRITE')
    if (fault?.errno !== undefined) return -errno[fault.errno]
    const answer = await this.#packets.write(data)
    return answer < 0 ? answer : data.length
  }

  end(): void {
    this.#isDead = true
    this.changed.wake()
  }

  /** What RESUMING -> STOP waits for: 0, or -errno. */
  async finish(): Promise<number> {
    const restored = await untilTimeout(
      this.changed,
      () => this.#restored,
      this.#kernel.clock,
      restoreTimeout,
    )
    return restored ?? -errno.ETIMEDOUT
  }

  #parse(header: PacketHeader): { header: PacketHeader; length: number } | number {
    if (!isKnownHeader(header)) return -errno.EINVAL
    const length = Number(header.size)
    return length > mostBytes ? -errno.ENOMEM : { header, length }
  }

  #take(header: PacketHeader, bytes: Buffer, length: number): number {
    if (header.tile !== 0 || header.type === 0) return -errno.EINVAL
    if (header.type === packetType.descriptor) return checkDescriptor(bytes.subarray(0, length), identity)
    if (header.type === packetType.trailer) return this.#takeTrailer(header)
    if (this.#restored !== undefined) return this.#restored < 0 ? this.#restored : 0
    if (!this.#apply(header, bytes, length)) this.#end(-errno.EIO)
    return 0
  }

  #takeTrailer({ offset, size }: PacketHeader): number {
    if (offset !== 0n || size !== 0n) return -errno.EINVAL
    if (this.#restored === undefined) void this.#restore()
    return 0
  }

  /** False for a resource that is not as long as this device's. What it does not know it passes over. */
  #apply({ type, offset }: PacketHeader, bytes: Buffer, length: number): boolean {
    if (type === packetType.ggtt) return length === ggttBytes
    if (type === packetType.mmio) return length === mmioBytes
    if (type === packetType.guc) return length === gucBytes && this.#put(0, bytes)
    if (type !== packetType.vram) return true
    const isWithin = Number(offset) + length <= this.#kernel.options.size
    return isWithin && this.#put(gucBytes + Number(offset), bytes.subarray(0, length))
  }

  #put(at: number, bytes: Uint8Array): boolean {
    this.#image ??= new Uint8Array(gucBytes + this.#kernel.options.size)
    this.#image.set(bytes, at)
    return true
  }

  async #restore(): Promise<void> {
    const image = this.#image ?? new Uint8Array(gucBytes)
    const { errno: answer } = await this.#kernel.firmware.load(new Uint32Array(image.buffer), image.length)
    this.#end(answer < 0 ? -errno.EIO : 0)
  }

  #end(restored: number): void {
    this.#restored = restored
    this.#image = undefined
    this.changed.wake()
  }
}
