// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import { decodeHeader, imageHeaderBytes } from '../image.ts'
import { command, noMemoryFor, stepBy, type Arcs } from './arcs.ts'
import type { Driver, Kernel, MakeDriver, Session } from './driver.ts'
import { Mlx5Tracker } from './mlx5_tracker.ts'
import { ResumingBuffer } from './resuming_buffer.ts'
import { SavingBuffer } from './saving_buffer.ts'

/** PDS_LM_DEVICE_STATE_LENGTH: as much as a device can take, and what MIG_DATA_SIZE says. */
export const capacity = 65_536

/**
 * pds_vfio_pci. Source: drivers/vfio/pci/pds/{lm,cmds,vfio_dev,pci_drv}.c of Linux 7.2.
 *
 * The driver's: all but what is in the stream, which nobody but the device looks at: the restore buffer goes to it whole, in
 * RESUMING -> STOP, and its refusal is what that arc answers.
 * Ours: that it is an image of docs/firmware-model.md, and that the DMA log is the one of the mlx5 mock.
 */
class Pds implements Driver {
  readonly step: Driver['step']
  readonly resetWaits = true
  readonly log: Mlx5Tracker
  readonly #kernel: Kernel
  #saving: SavingBuffer | undefined
  #resuming: ResumingBuffer | undefined

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.log = new Mlx5Tracker(kernel, () => false)
    this.step = stepBy(this.#arcs(), { p2p: true, preCopy: false })
  }

  get session(): Session | undefined {
    return this.#saving ?? this.#resuming
  }

  /** Only a reset leaves ERROR. */
  beforeSet(): number {
    return this.#kernel.state === 'ERROR' ? -errno.EIO : 0
  }

  /** pds_vfio_recovery(): who neither migrates nor logs goes on as if nothing had happened. */
  onAdapterRecovery(): void {
    const { state } = this.#kernel
    if (state === 'ERROR' || (state === 'RUNNING' && !this.log.isOn)) return
    this.#end()
    this.log.close()
    this.#kernel.enterError()
  }

  dataSize(): Promise<number> {
    return Promise.resolve(capacity)
  }

  endSessions(): Promise<void> {
    this.#end()
    return Promise.resolve()
  }

  #arcs(): Arcs {
    const kernel = this.#kernel
    return {
      'RUNNING->RUNNING_P2P': command(kernel, 'suspend', 'initiator'),
      'RUNNING_P2P->RUNNING': command(kernel, 'resume', 'initiator'),
      'RUNNING_P2P->STOP': command(kernel, 'suspend', 'responder'),
      'STOP->RUNNING_P2P': command(kernel, 'resume', 'responder'),
      'STOP->STOP_COPY': () => this.#save(),
      'STOP_COPY->STOP': () => {
        this.log.close()
        return this.#end()
      },
      'STOP->RESUMING': () => this.#resume(),
      'RESUMING->STOP': () => this.#load(),
    }
  }

  /** The file is as long as the device said that its state is. */
  async #save(): Promise<Session | number> {
    const { firmware } = this.#kernel
    const { errno: unknown, bytes: room } = await firmware.query(false)
    if (unknown < 0) return unknown
    const failed = noMemoryFor(this.#kernel, 'ALLOC_OPEN')
    // The driver makes ENOENT of it.
    if (failed < 0) return -errno.ENOENT
    const saved = await firmware.save({ incremental: false, track: false, room })
    if (saved.image === undefined) return saved.errno
    const filled = Buffer.alloc(room)
    saved.image.copy(0, filled.subarray(0, saved.image.length))
    this.#saving = new SavingBuffer(this.#kernel, filled)
    return this.#saving
  }

  #resume(): Session | number {
    if (noMemoryFor(this.#kernel, 'ALLOC_OPEN') < 0) return -errno.ENOENT
    this.#resuming = new ResumingBuffer(this.#kernel, { buffer: Buffer.alloc(capacity), overflow: 'short' })
    return this.#resuming
  }

  async #load(): Promise<number> {
    const { buffer, byteOffset } = this.#resuming?.bytes ?? Buffer.alloc(capacity)
    const words = new Uint32Array(buffer, byteOffset, capacity / 4)
    const size = decodeHeader(words)?.size ?? 0
    const { errno: answer } = await this.#kernel.firmware.load(
      words,
      Math.min(imageHeaderBytes + size, capacity),
    )
    return answer || this.#end()
  }

  #end(): number {
    this.#saving?.end()
    this.#resuming?.end()
    this.#saving = this.#resuming = undefined
    return 0
  }
}

export const makePds: MakeDriver = kernel => new Pds(kernel)
