// SPDX-License-Identifier: Apache-2.0
import { errno } from '../../kernel/errno.ts'
import type { StateName } from '../../kernel/state.ts'
import type { Driver, Kernel, MakeDriver, Pf, Session } from './driver.ts'
import { Mlx5Resuming } from './mlx5_resuming.ts'
import { Mlx5Saving } from './mlx5_saving.ts'
import { Mlx5Tracker } from './mlx5_tracker.ts'

/**
 * drivers/vfio/pci/mlx5/main.c: mlx5vf_pci_step_device_state_locked(), and what it stands on. The driver always has P2P;
 * where that was taken away, an arc is both halves of what it would have been.
 */
class Mlx5 implements Driver {
  readonly log: Mlx5Tracker
  /** The PF disables the VF: sessions and log end, and every command answers ENOTCONN. */
  readonly pf: Pf = {
    detach: () => this.#detach(),
    attach: () => (this.#detached = false),
  }
  readonly #kernel: Kernel
  #saving: Mlx5Saving | undefined
  #resuming: Mlx5Resuming | undefined
  #detached = false

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.log = new Mlx5Tracker(kernel, () => this.#detached)
  }

  get session(): Session | undefined {
    return this.#saving ?? this.#resuming
  }

  get saving(): Mlx5Saving | undefined {
    return this.#saving
  }

  get isDetached(): boolean {
    return this.#detached
  }

  async step(from: StateName, to: StateName): Promise<Session | number> {
    switch (`${from}->${to}`) {
      case 'RUNNING_P2P->STOP':
        return await this.#suspend('responder')
      case 'STOP->RUNNING_P2P':
        return await this.#resume('responder')
      case 'RUNNING->RUNNING_P2P':
      case 'PRE_COPY->PRE_COPY_P2P':
        return await this.#suspend('initiator')
      case 'RUNNING_P2P->RUNNING':
      case 'PRE_COPY_P2P->PRE_COPY':
        return await this.#resume('initiator')
      case 'RUNNING->STOP':
        return (await this.#suspend('initiator')) || (await this.#suspend('responder'))
      case 'STOP->RUNNING':
        return (await this.#resume('responder')) || (await this.#resume('initiator'))
      case 'STOP->STOP_COPY':
        return await this.#openSaving(false)
      case 'RUNNING->PRE_COPY':
      case 'RUNNING_P2P->PRE_COPY_P2P':
        return await this.#openSaving(true)
      case 'PRE_COPY->STOP_COPY':
        return (await this.#suspend('initiator')) || (await this.#finish())
      case 'PRE_COPY_P2P->STOP_COPY':
        return await this.#finish()
      case 'PRE_COPY->RUNNING':
      case 'PRE_COPY_P2P->RUNNING_P2P':
        return await this.#giveUp()
      case 'STOP->RESUMING':
        return this.#openResuming()
      case 'STOP_COPY->STOP':
      case 'RESUMING->STOP':
        await this.endSessions()
        return 0
      default:
        throw new Error(`the table has no arc from ${from} to ${to}`)
    }
  }

  async dataSize(): Promise<number> {
    if (this.#detached) return -errno.ENOTCONN
    const sizes = await this.#kernel.firmware.query(false)
    return sizes.errno < 0 ? sizes.errno : sizes.total
  }

  async endSessions(): Promise<void> {
    await this.#endSessions()
  }

  async #detach(): Promise<void> {
    await this.#kernel.mutex.run(async () => {
      await this.#endSessions()
      this.log.close()
      this.#detached = true
    })
  }

  async #endSessions(): Promise<string | undefined> {
    this.#resuming?.end()
    this.#resuming = undefined
    const last = await this.#saving?.end()
    this.#saving = undefined
    return last
  }

  async #suspend(half: 'initiator' | 'responder'): Promise<number> {
    if (this.#detached) return -errno.ENOTCONN
    const saving = this.#saving
    const interrupted = (await saving?.slot.lock('WAIT_SUSPEND')) ?? 0
    if (interrupted < 0) return interrupted
    const { errno: answer } = await this.#kernel.firmware.suspend(half)
    saving?.slot.unlock()
    return answer
  }

  async #resume(half: 'initiator' | 'responder'): Promise<number> {
    if (this.#detached) return -errno.ENOTCONN
    const { errno: answer } = await this.#kernel.firmware.resume(half)
    return answer
  }

  async #openSaving(track: boolean): Promise<Session | number> {
    if (this.#detached) return -errno.ENOTCONN
    const saving = new Mlx5Saving(this.#kernel, this)
    const sizes = await this.#kernel.firmware.query(false)
    if (sizes.errno < 0) return sizes.errno
    if (this.#kernel.faults.take('ALLOC_OPEN')) return -errno.ENOMEM
    const answer = await saving.begin({ ...sizes, track })
    if (answer < 0) return answer
    this.#saving = saving
    return saving
  }

  #openResuming(): Session | number {
    if (this.#detached) return -errno.ENOTCONN
    if (this.#kernel.faults.take('ALLOC_OPEN')) return -errno.ENOMEM
    this.#resuming = new Mlx5Resuming(this.#kernel)
    return this.#resuming
  }

  async #finish(): Promise<number> {
    const answer = await this.#suspend('responder')
    if (answer < 0) return answer
    const saving =
      this.#saving ??
      this.#kernel.oops('PRE_COPY_P2P -> STOP_COPY looks at saving_migf->state, and saving_migf is NULL')
    return await saving.finish()
  }

  /** EIO comes when the session is gone already, while the state is still of the pre-copy group. */
  async #giveUp(): Promise<number> {
    if (this.#detached) return -errno.ENOTCONN
    const saving =
      this.#saving ??
      this.#kernel.oops('leaving pre-copy waits for saving_migf->save_comp, and saving_migf is NULL')
    const answer = await saving.giveUp()
    if (answer < 0) return answer
    return (await this.#endSessions()) === 'ERROR' ? -errno.EIO : 0
  }
}

export const makeMlx5: MakeDriver = kernel => new Mlx5(kernel)
