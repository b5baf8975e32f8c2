// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { low32 } from '../state.ts'
import { command, noMemoryFor, nothing, stepBy, type Arcs } from './arcs.ts'
import type { DmaLog, Driver, Kernel, MakeDriver, Regions, Session } from './driver.ts'
import { layoutOf } from './layout.ts'
import { MttyPort, portBytes } from './mtty_port.ts'
import { MttyRegions } from './mtty_regions.ts'
import { ResumingBuffer } from './resuming_buffer.ts'
import { PrecopyBuffer } from './saving_buffer.ts'

/** struct mtty_data of samples/vfio-mdev/mtty.c, without its ports. */
const headerBytes = 24
const header = layoutOf({
  magic: [0, 'u64'],
  major: [8, 'u32'],
  minor: [12, 'u32'],
  ports: [16, 'u32'],
  flags: [20, 'u32'],
})
const magic = 0x7e9d09898c3e2c4en

/** Where seed and epoch are in the first port: in the fifo. */
const identity = layoutOf({ seed: [0, 'u64'], epoch: [8, 'u64'] })

/** The calls are there and do nothing. */
const log: DmaLog = {
  start: pageSize => Promise.resolve(pageSize),
  stop: () => Promise.resolve(0),
  report: () => Promise.resolve(0),
  close: () => undefined,
}

/**
 * mtty. Source: samples/vfio-mdev/mtty.c of Linux 7.2; 6.12 is the same.
 *
 * The driver's: stream, header, registers, and that neither a reset nor the last close changes what is in the ports. It has
 * no device below it: no arc can fail but RESUMING -> STOP.
 * Ours: that it has a workload, which stops with RUNNING_P2P. The 16 bytes of the first port's fifo are its seed and its
 * epoch, so that a mock with seed 0 that has not run is byte for byte the real thing; a byte that is looped back into
 * the fifo changes them, as it changes the state of the device.
 */
class Mtty implements Driver {
  readonly step: Driver['step']
  readonly keepsState = true
  readonly log = log
  readonly regions: Regions
  readonly #kernel: Kernel
  readonly #ports: readonly MttyPort[]
  #saving: PrecopyBuffer | undefined
  #resuming: ResumingBuffer | undefined
  #isStopped = false

  constructor(kernel: Kernel, ports: number) {
    this.#kernel = kernel
    this.#ports = Array.from({ length: ports }, () => new MttyPort())
    this.regions = new MttyRegions(this.#ports, {
      put: () => this.#putIdentity(),
      take: () => this.#takeIdentity(),
    })
    this.step = stepBy(this.#arcs(), { p2p: true, preCopy: true })
  }

  get session(): Session | undefined {
    return this.#saving ?? this.#resuming
  }

  dataSize(): Promise<number> {
    return Promise.resolve(this.#streamBytes)
  }

  /** At the last close the state of the state machine stays, and what belongs to it is gone. */
  async endSessions(): Promise<void> {
    this.#end()
    if (this.#kernel.state === 'RUNNING' && this.#isStopped) await this.#run()
  }

  get #streamBytes(): number {
    return headerBytes + this.#ports.length * portBytes
  }

  #arcs(): Arcs {
    const stop = async (): Promise<number> => await this.#stop()
    const run = async (): Promise<number> => await this.#run()
    const end = (): number => this.#end()
    const begin = (): Session | number => this.#open(this.#header())
    return {
      'RUNNING->RUNNING_P2P': stop,
      'RUNNING_P2P->RUNNING': run,
      'RUNNING_P2P->STOP': nothing,
      'STOP->RUNNING_P2P': nothing,
      'PRE_COPY->PRE_COPY_P2P': stop,
      'PRE_COPY_P2P->PRE_COPY': run,
      'RUNNING->PRE_COPY': begin,
      'RUNNING_P2P->PRE_COPY_P2P': begin,
      'PRE_COPY->RUNNING': end,
      'PRE_COPY_P2P->RUNNING_P2P': end,
      'PRE_COPY_P2P->STOP_COPY': () => this.#save(),
      'STOP->STOP_COPY': () => this.#save(),
      'STOP_COPY->STOP': end,
      'STOP->RESUMING': () => this.#resume(),
      'RESUMING->STOP': () => this.#load(),
    }
  }

  async #stop(): Promise<number> {
    const answer = await command(this.#kernel, 'suspend', 'initiator')()
    this.#isStopped = answer === 0
    return answer
  }

  async #run(): Promise<number> {
    const answer = await command(this.#kernel, 'resume', 'initiator')()
    this.#isStopped = answer !== 0
    return answer
  }

  #header(): Buffer {
    const bytes = Buffer.alloc(headerBytes)
    header.write(bytes, { magic, major: 1, minor: 0, ports: this.#ports.length, flags: 0 })
    return bytes
  }

  #open(filled: Buffer): Session | number {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    this.#saving = new PrecopyBuffer(this.#kernel, filled)
    return this.#saving
  }

  /** Onto what pre-copy has given out; without a session, as after a last close in it, a new one begins. */
  #save(): Session | number {
    this.#putIdentity()
    const stream = Buffer.concat([this.#header(), ...this.#ports.map(({ bytes }) => bytes)])
    if (this.#saving === undefined) return this.#open(stream)
    this.#saving.fill(stream)
    return 0
  }

  #resume(): Session | number {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    const buffer = Buffer.alloc(this.#streamBytes)
    const check = (filled: number, before: number): number =>
      before < headerBytes && filled >= headerBytes && !this.#isHeader(buffer) ? -errno.EFAULT : 0
    this.#resuming = new ResumingBuffer(this.#kernel, { buffer, overflow: 'ENOMEM', check })
    return this.#resuming
  }

  /** Looked at once, by the write that completes it: what is refused there is loaded all the same. */
  #isHeader(buffer: Buffer): boolean {
    return buffer.subarray(0, headerBytes).equals(this.#header())
  }

  #load(): number {
    const resuming =
      this.#resuming ??
      this.#kernel.oops('RESUMING -> STOP takes resuming_migf->lock, and resuming_migf is NULL')
    if (resuming.filled < this.#streamBytes) return -errno.EINVAL
    for (const [index, port] of this.#ports.entries()) {
      resuming.bytes.copy(port.bytes, 0, headerBytes + index * portBytes)
    }
    this.#takeIdentity()
    return this.#end()
  }

  #end(): number {
    this.#saving?.end()
    this.#resuming?.end()
    this.#saving = this.#resuming = undefined
    return 0
  }

  #putIdentity(): void {
    const { state, workload } = this.#kernel.firmware
    workload.sync()
    identity.write(this.#ports[0]?.fifo ?? Buffer.alloc(16), { seed: state.seed, epoch: state.epoch })
  }

  #takeIdentity(): void {
    const { state } = this.#kernel.firmware
    const { seed, epoch } = identity.read(this.#ports[0]?.fifo ?? Buffer.alloc(16))
    state.seed = seed
    state.epoch = epoch
    state.versions.fill(low32(epoch))
  }
}

/** mtty-1 or mtty-2, by the number of its ports. */
export function makeMttyOf(ports: 1 | 2): MakeDriver {
  return kernel => new Mtty(kernel, ports)
}

export const makeMtty: MakeDriver = makeMttyOf(1)
