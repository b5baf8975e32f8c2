// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import type { PrecopyInfoAnswer } from '../../backend/seam.ts'
import { noMemoryFor, nothing, resumeWhole, stepBy, suspendWhole, type Arcs } from './arcs.ts'
import type { Driver, Kernel, MakeDriver, Session } from './driver.ts'
import { blockBytes, checkSetup, decodeState, encodeSetup, encodeState } from './qat_block.ts'
import { decodePart, partLength } from './qat_sections.ts'
import { loadRegisters, saveRegisters } from './registers.ts'
import { ResumingBuffer } from './resuming_buffer.ts'
import { SavingBuffer } from './saving_buffer.ts'

/** In pre-copy, and after it, what counts is the setup. */
class QatSaving extends SavingBuffer {
  precopyInfo(): Promise<PrecopyInfoAnswer> {
    return Promise.resolve(this.unread(encodeSetup().length))
  }
}

/**
 * qat_vfio_pci. Source: drivers/vfio/pci/qat/main.c and drivers/crypto/intel/qat/qat_common/adf_gen4_vf_mig.c of Linux
 * 7.2. One block of memory belongs to the device, and all its sessions write into it and read from it: what an earlier
 * one left is still there, and RESUMING -> STOP looks at the block, not at how much of it was written.
 */
class Qat implements Driver {
  readonly step: Driver['step']
  readonly resetWaits = true
  readonly #kernel: Kernel
  readonly #block = Buffer.alloc(blockBytes)
  /** The length of the setup that was written, once it was whole. Then no other one is looked at before a reset. */
  #remoteSetup = 0
  /** The length of the setup that stands in the block; it is written once, and again only after a reset. */
  #setup = 0
  #saving: QatSaving | undefined
  #resuming: ResumingBuffer | undefined

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.step = stepBy(this.#arcs(), { p2p: true, preCopy: true })
  }

  get session(): Session | undefined {
    return this.#saving ?? this.#resuming
  }

  dataSize(): Promise<number> {
    return Promise.resolve(blockBytes)
  }

  endSessions(): Promise<void> {
    this.#remoteSetup = this.#setup = 0
    this.#end()
    return Promise.resolve()
  }

  #arcs(): Arcs {
    const kernel = this.#kernel
    const stop = (): Promise<number> => suspendWhole(kernel)
    const end = (): number => this.#end()
    const begin = (): Session | number => this.#begin()
    // Whether the device goes on, the driver does not look at.
    const run = async (): Promise<number> => {
      await resumeWhole(kernel)
      return 0
    }
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
      'PRE_COPY_P2P->STOP_COPY': () => this.#finish(),
      'STOP->STOP_COPY': () => this.#save(),
      'STOP_COPY->STOP': end,
      'STOP->RESUMING': () => this.#resume(),
      'RESUMING->STOP': () => this.#load(),
    }
  }

  #saveSetup(): Buffer {
    if (this.#setup === 0) this.#setup = encodeSetup().copy(this.#block)
    return this.#block.subarray(0, this.#setup)
  }

  async #saveState(): Promise<number> {
    const registers = await saveRegisters(this.#kernel.firmware)
    if (typeof registers === 'number') return registers
    const setup = this.#saveSetup()
    encodeState(registers).copy(this.#block, setup.length)
    return 0
  }

  #begin(): Session | number {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    return (this.#saving = new QatSaving(this.#kernel, this.#saveSetup()))
  }

  async #save(): Promise<Session | number> {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    const answer = await this.#saveState()
    return answer < 0 ? answer : (this.#saving = new QatSaving(this.#kernel, this.#block))
  }

  async #finish(): Promise<number> {
    if (this.#saving === undefined) return -errno.EINVAL
    const answer = await this.#saveState()
    if (answer === 0) this.#saving.fill(this.#block)
    return answer
  }

  #resume(): Session | number {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    const check = (filled: number): number => this.#loadSetup(filled) ?? 0
    this.#resuming = new ResumingBuffer(this.#kernel, { buffer: this.#block, overflow: 'ENOMEM', check })
    return this.#resuming
  }

  /** Looks at the setup in the first `length` bytes: 0 or -errno, undefined while more has to come. One that does not suit is refused once. */
  #loadSetup(length: number): number | undefined {
    if (this.#remoteSetup > 0) return 0
    const setup = partLength(this.#block.subarray(0, length))
    if (setup === undefined) return undefined
    if (setup > blockBytes) return -errno.EINVAL
    if (length < setup) return undefined
    const part = decodePart(this.#block.subarray(0, setup))
    if (part === undefined) return -errno.EINVAL
    this.#remoteSetup = setup
    return checkSetup(part) ? 0 : -errno.EINVAL
  }

  async #load(): Promise<number> {
    const answer = this.#loadSetup(blockBytes) ?? -errno.EAGAIN
    if (answer < 0) return answer
    const registers = decodeState(this.#block.subarray(this.#remoteSetup))
    if (registers === undefined) return -errno.EINVAL
    return (await loadRegisters(this.#kernel.firmware, registers)) || this.#end()
  }

  #end(): number {
    this.#saving?.end()
    this.#resuming?.end()
    this.#saving = this.#resuming = undefined
    return 0
  }
}

export const makeQat: MakeDriver = kernel => new Qat(kernel)
