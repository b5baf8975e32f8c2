// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { noMemoryFor, nothing, resumeWhole, stepBy, suspendWhole, type Arcs } from './arcs.ts'
import type { Driver, Kernel, MakeDriver, Session } from './driver.ts'
import { sizeOfResources } from './xe_resources.ts'
import { XeResuming } from './xe_resuming.ts'
import { XeSaving } from './xe_saving.ts'

/**
 * xe-vfio-pci. Source: drivers/vfio/pci/xe/main.c of Linux 7.2, and the PF's side of it in drivers/gpu/drm/xe. A SET that
 * the table refuses stops the function in the PF: from then on every command answers EPERM, until a reset.
 */
class Xe implements Driver {
  readonly step: Driver['step']
  readonly #kernel: Kernel
  #saving: XeSaving | undefined
  #resuming: XeResuming | undefined
  /** What the PF saves or restores, or failed to: it outlives its file. */
  #produced: XeSaving | undefined
  #restoring: XeResuming | undefined
  #wasRefused = false

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.step = stepBy(this.#arcs(), { p2p: true, preCopy: false })
  }

  get session(): Session | undefined {
    return this.#saving ?? this.#resuming
  }

  onRefused(): void {
    this.#wasRefused = true
    void this.#kernel.firmware.suspend('initiator')
  }

  dataSize(): Promise<number> {
    return Promise.resolve(sizeOfResources(this.#kernel.options.size))
  }

  async endSessions(): Promise<void> {
    await this.#putFile()
    this.#produced = this.#restoring = undefined
    this.#wasRefused = false
  }

  #arcs(): Arcs {
    const kernel = this.#kernel
    const unlessRefused = (act: () => Promise<Session | number>) => (): Promise<Session | number> =>
      this.#wasRefused ? Promise.resolve(-errno.EPERM) : act()
    return {
      'RUNNING->RUNNING_P2P': unlessRefused(() => suspendWhole(kernel)),
      'RUNNING_P2P->RUNNING': unlessRefused(() => resumeWhole(kernel)),
      'RUNNING_P2P->STOP': nothing,
      'STOP->RUNNING_P2P': nothing,
      'STOP->STOP_COPY': unlessRefused(() => this.#save()),
      'STOP_COPY->STOP': () => this.#finishSave(),
      'STOP->RESUMING': unlessRefused(() => this.#resume()),
      'RESUMING->STOP': () => this.#finishRestore(),
    }
  }

  async #save(): Promise<Session | number> {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return failed
    this.#saving = this.#produced = new XeSaving(this.#kernel)
    await this.#saving.begin()
    return this.#saving
  }

  /** The file goes first, so that a failure leaves STOP_COPY without one. */
  async #finishSave(): Promise<number> {
    await this.#putFile()
    return this.#produced?.isDone === true ? 0 : -errno.EIO
  }

  #resume(): Promise<Session | number> {
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    if (failed < 0) return Promise.resolve(failed)
    this.#resuming = this.#restoring = new XeResuming(this.#kernel)
    return Promise.resolve(this.#resuming)
  }

  async #finishRestore(): Promise<number> {
    await this.#putFile()
    return (await this.#restoring?.finish()) ?? -errno.EIO
  }

  async #putFile(): Promise<void> {
    await this.#saving?.end()
    this.#resuming?.end()
    this.#saving = this.#resuming = undefined
  }
}

export const makeXe: MakeDriver = kernel => new Xe(kernel)
