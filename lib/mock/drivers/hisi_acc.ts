// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { noMemoryFor, resumeWhole, stepBy, suspendWhole, type Arcs } from './arcs.ts'
import type { Driver, Kernel, MakeDriver, Session } from './driver.ts'
import { checkMatch, decodeRegisters, encodeStream, matchBytes, streamBytes } from './hisi_acc_stream.ts'
import { loadRegisters, saveRegisters, type Registers } from './registers.ts'
import { ResumingBuffer } from './resuming_buffer.ts'
import { PrecopyBuffer } from './saving_buffer.ts'

/** hisi_acc_vfio_pci. Source: drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c of Linux 6.12 and 7.2. */
class HisiAcc implements Driver {
  readonly step: Driver['step']
  readonly resetWaits = true
  readonly #kernel: Kernel
  #saving: PrecopyBuffer | undefined
  #resuming: ResumingBuffer | undefined
  /** A stream for such a device was seen: no other one is looked at until the device is opened anew, not even after a reset. */
  #matched = false

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.step = stepBy(this.#arcs(), { p2p: false, preCopy: true })
  }

  get session(): Session | undefined {
    return this.#saving ?? this.#resuming
  }

  dataSize(): Promise<number> {
    return Promise.resolve(streamBytes)
  }

  opened(): void {
    this.#matched = false
  }

  endSessions(): Promise<void> {
    this.#end()
    return Promise.resolve()
  }

  #arcs(): Arcs {
    const kernel = this.#kernel
    const end = (): number => this.#end()
    return {
      'RUNNING->STOP': () => suspendWhole(kernel),
      'STOP->RUNNING': () => resumeWhole(kernel),
      'RUNNING->PRE_COPY': () => this.#open(encodeStream().subarray(0, matchBytes)),
      'PRE_COPY->RUNNING': end,
      'PRE_COPY->STOP_COPY': async () => (await suspendWhole(kernel)) || (await this.#finish()),
      'STOP->STOP_COPY': () => this.#save(),
      'STOP_COPY->STOP': end,
      'STOP->RESUMING': () => this.#resume(),
      'RESUMING->STOP': () => this.#load(),
    }
  }

  #open(filled: Buffer): Session | number {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    this.#saving = new PrecopyBuffer(this.#kernel, filled)
    return this.#saving
  }

  /** What was given out in pre-copy is the beginning of this. */
  async #finish(): Promise<number> {
    const registers = await this.#read()
    if (typeof registers === 'number') return registers
    this.#saving?.fill(encodeStream(registers))
    return 0
  }

  async #save(): Promise<Session | number> {
    const registers = await this.#read()
    return typeof registers === 'number' ? registers : this.#open(encodeStream(registers))
  }

  /** 6.12 makes EINVAL of whatever goes wrong there. */
  async #read(): Promise<Registers | number> {
    const { firmware, options } = this.#kernel
    const registers = await saveRegisters(firmware)
    return typeof registers === 'number' && options.kernel === '6.12' ? -errno.EINVAL : registers
  }

  #resume(): Session | number {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    const buffer = Buffer.alloc(streamBytes)
    const check = (filled: number): number => this.#check(buffer, filled)
    this.#resuming = new ResumingBuffer(this.#kernel, { buffer, overflow: 'ENOMEM', check })
    return this.#resuming
  }

  /** By each write once the match data are there, until they match. Whatever does not is EFAULT. */
  #check(buffer: Buffer, filled: number): number {
    if (filled < matchBytes || this.#matched) return 0
    this.#matched = checkMatch(buffer)
    return this.#matched ? 0 : -errno.EFAULT
  }

  /** Match data alone are a device that no driver of the guest had set up: there is nothing to load. */
  async #load(): Promise<number> {
    const { filled, bytes } = this.#resuming ?? { filled: 0, bytes: Buffer.alloc(0) }
    if (filled !== matchBytes && filled < streamBytes) return -errno.EINVAL
    const registers = filled === matchBytes ? undefined : decodeRegisters(bytes)
    const loaded = registers ? await loadRegisters(this.#kernel.firmware, registers) : 0
    return loaded || this.#end()
  }

  #end(): number {
    this.#saving?.end()
    this.#resuming?.end()
    this.#saving = this.#resuming = undefined
    return 0
  }
}

export const makeHisiAcc: MakeDriver = kernel => new HisiAcc(kernel)
