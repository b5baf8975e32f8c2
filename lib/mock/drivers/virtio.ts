// SPDX-License-Identifier: Apache-2.0
import { noMemoryFor, nothing, resumeWhole, stepBy, suspendWhole, type Arcs } from './arcs.ts'
import type { Driver, Kernel, MakeDriver, Session } from './driver.ts'
import { VirtioResuming } from './virtio_resuming.ts'
import { VirtioSaving } from './virtio_saving.ts'

/**
 * virtio_vfio_pci. Source: drivers/vfio/pci/virtio/migrate.c of Linux 7.2.
 *
 * The driver's: arcs, records, answers, and that RESUMING -> STOP checks nothing. Ours: that the parts of the device, which
 * are the virtio specification's and opaque to the driver, are an image of docs/firmware-model.md.
 */
class Virtio implements Driver {
  readonly step: Driver['step']
  readonly #kernel: Kernel
  #saving: VirtioSaving | undefined
  #resuming: VirtioResuming | undefined

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.step = stepBy(this.#arcs(), { p2p: true, preCopy: true })
  }

  get session(): Session | undefined {
    return this.#saving ?? this.#resuming
  }

  async dataSize(): Promise<number> {
    const { errno, bytes } = await this.#kernel.firmware.query(false)
    return errno || bytes
  }

  endSessions(): Promise<void> {
    this.#end()
    return Promise.resolve()
  }

  /** The device has one mode, stopped, which it is in from the P2P states on. */
  #arcs(): Arcs {
    const stop = (): Promise<number> => suspendWhole(this.#kernel)
    const run = (): Promise<number> => resumeWhole(this.#kernel)
    const end = (): number => this.#end()
    return {
      'RUNNING->RUNNING_P2P': stop,
      'RUNNING_P2P->RUNNING': run,
      'RUNNING_P2P->STOP': nothing,
      'STOP->RUNNING_P2P': nothing,
      'PRE_COPY->PRE_COPY_P2P': stop,
      'PRE_COPY_P2P->PRE_COPY': run,
      'RUNNING->PRE_COPY': () => this.#open(true),
      'RUNNING_P2P->PRE_COPY_P2P': () => this.#open(true),
      'PRE_COPY->RUNNING': end,
      'PRE_COPY_P2P->RUNNING_P2P': end,
      'PRE_COPY_P2P->STOP_COPY': () => this.#finish(),
      'STOP->STOP_COPY': () => this.#open(false),
      'STOP_COPY->STOP': end,
      'STOP->RESUMING': () => this.#resume(),
      'RESUMING->STOP': end,
    }
  }

  async #open(preCopy: boolean): Promise<Session | number> {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    const saving = new VirtioSaving(this.#kernel)
    const answer = await saving.begin(preCopy)
    if (answer < 0) return answer
    this.#saving = saving
    return saving
  }

  async #finish(): Promise<number> {
    const saving =
      this.#saving ?? this.#kernel.oops('PRE_COPY_P2P -> STOP_COPY looks at saving_migf, which is NULL')
    return await saving.finish()
  }

  #resume(): Session | number {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    this.#resuming = new VirtioResuming(this.#kernel)
    return this.#resuming
  }

  #end(): number {
    this.#saving?.end()
    this.#resuming?.end()
    this.#saving = this.#resuming = undefined
    return 0
  }
}

export const makeVirtio: MakeDriver = kernel => new Virtio(kernel)
