// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import type { Saved } from '../firmware.ts'
import type { Demand } from '../saver.ts'
import { Semaphore } from '../semaphore.ts'
import type { Kernel } from './driver.ts'

export type WaitPoint = 'WAIT_SUSPEND' | 'WAIT_QUERY' | 'WAIT_SAVE'

/**
 * Where the one SAVE of a session runs: migf->save_comp. Who needs that none runs waits here, and can be interrupted; what
 * the SAVE came to is told when it ends, while it is nobody else's turn.
 */
export class SaveSlot {
  readonly #kernel: Kernel
  readonly #free = new Semaphore()
  #running: Promise<void> = Promise.resolve()

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  /** Waits until no SAVE runs, and lets none begin. 0, or -EINTR. */
  async lock(point: WaitPoint): Promise<number> {
    const fault = this.#kernel.faults.take(point)
    if (fault?.errno !== undefined) return -errno[fault.errno]
    await this.#free.take()
    return 0
  }

  unlock(): void {
    this.#free.release()
  }

  /** With the slot locked, which is unlocked when the SAVE has ended: 0 when the firmware has it, or -errno. */
  submit(demand: Demand, isCleanup: boolean, then: (saved: Saved) => void): number {
    const fault = this.#kernel.faults.take('SAVE_SUBMIT')
    if (fault?.errno !== undefined) {
      this.unlock()
      return -errno[fault.errno]
    }
    const saving = this.#kernel.firmware.save(demand, isCleanup ? ['SAVE_CLEANUP', 'SAVE'] : ['SAVE'])
    this.#running = saving.then(saved => {
      then(saved)
      this.unlock()
    })
    return 0
  }

  /** Resolves when the SAVE that runs has ended: mlx5_cmd_cleanup_async_ctx(). */
  async ended(): Promise<void> {
    await this.#running
  }
}
