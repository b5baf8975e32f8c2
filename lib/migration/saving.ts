// SPDX-License-Identifier: Apache-2.0
import { throwIfAborted, untilAborted } from '../abort.ts'
import type { Device } from '../device/device.ts'
import type { Pause, SavingStream } from '../device/saving_stream.ts'
import { VfioError } from '../errors.ts'
import type { StateName } from '../kernel/state.ts'

/** A device that gives its state, and how it is driven. */
export interface Giver {
  readonly device: Device
  go(target: StateName, options?: { signal?: AbortSignal }): Promise<unknown>
}

/** What was read of a device. */
export interface Saved {
  readonly bytes: number
  /** Of those, bytes that were read before it stopped. */
  readonly precopyBytes: number
  /** How often precopy info was asked. */
  readonly rounds: number
  /** When the first stopping arc was issued, in ms on the device's clock. */
  readonly stoppedAt: number
}

/**
 * Reads the whole state of a device: PRE_COPY where it has that, until the initial bytes are taken, then STOP_COPY. The
 * device is in STOP_COPY afterwards. `into` is an fd, or is awaited before the next chunk is read, and owns its chunk.
 *
 * A device that is stopped is not run for it, one in RUNNING_P2P not let loose.
 */
export async function saveState(giver: Giver, into: SaveInto, signal?: AbortSignal): Promise<Saved> {
  return await new Saving(giver, into, signal).run()
}

/** Where a state goes: to an fd that can be written, or to a function chunk by chunk. */
export type SaveInto = number | ((chunk: Uint8Array, phase: SavePhase) => Promise<void>)

/** Whether the device runs while it is read. */
export type SavePhase = 'precopy' | 'stop-copy'

class Saving {
  readonly #giver: Giver
  readonly #into: SaveInto
  readonly #signal: AbortSignal | undefined
  #bytes = 0
  #rounds = 0

  constructor(giver: Giver, into: SaveInto, signal?: AbortSignal) {
    this.#giver = giver
    this.#into = into
    this.#signal = signal
  }

  async run(): Promise<Saved> {
    const { device } = this.#giver
    const begin = savingBegins(await device.state(), device)
    if (begin !== 'STOP_COPY') await this.#precopy(begin)
    const precopyBytes = this.#bytes
    const stoppedAt = device.clock.now()
    await this.#go('STOP_COPY')
    await this.#copy('end', 'stop-copy')
    if (this.#bytes === 0) {
      throw new VfioError('ERR_VFIO_INCOMPLETE', `'${device.name}' gave no state: its stream was empty`, {
        device: device.name,
      })
    }
    return { bytes: this.#bytes, precopyBytes, rounds: this.#rounds, stoppedAt }
  }

  /**
   * Until the initial bytes are taken. Asking makes the next image on some drivers, so each answer is followed by
   * reading what it announced, and the switch by no further question. What is announced need not come: a round that
   * brings nothing is the last.
   */
  async #precopy(begin: StateName): Promise<void> {
    await this.#go(begin)
    await this.#copy('idle', 'precopy')
    for (let brought = 1, initialBytes = 1; initialBytes > 0 && brought > 0;) {
      const before = this.#bytes
      ;({ initialBytes } = await untilAborted(this.#giver.device.precopyInfo(), this.#signal))
      this.#rounds++
      await this.#copy('idle', 'precopy')
      brought = this.#bytes - before
    }
  }

  async #go(target: StateName): Promise<void> {
    await this.#giver.go(target, this.#signal && { signal: this.#signal })
  }

  /** An abort stops the waiting, for the device as for who takes; the arcs are waited for. */
  async #copy(until: Pause, phase: SavePhase): Promise<void> {
    await untilAborted(this.#drain(until, phase), this.#signal)
  }

  async #drain(until: Pause, phase: SavePhase): Promise<void> {
    const { savingStream } = this.#giver.device
    const into = this.#into
    if (typeof into === 'number') await this.#pump(savingStream, into, until)
    else
      for await (const chunk of savingStream.ownChunks(until)) {
        throwIfAborted(this.#signal)
        await into(chunk, phase)
        this.#bytes += chunk.length
      }
  }

  async #pump(stream: SavingStream, fd: number, until: Pause): Promise<void> {
    const { bytes } = await stream.pump(fd, { until, ...(this.#signal && { signal: this.#signal }) })
    this.#bytes += bytes
  }
}

/**
 * The state in which saving begins: no arc on the way may let a stopped device run.
 * @throws VfioError ERR_VFIO_REFUSED for a device that is saved or loaded already, or has failed.
 */
export function savingBegins(before: StateName, { capabilities, name }: Device): StateName {
  const precopyState = preCopyStateOf[before]
  if (precopyState === undefined) {
    const text = `'${name}' is in ${before}: somebody else saves or loads it, or it has failed`
    throw new VfioError('ERR_VFIO_REFUSED', text, { device: name, state: before })
  }
  return capabilities.preCopy ? precopyState : 'STOP_COPY'
}

const preCopyStateOf: Readonly<Partial<Record<StateName, StateName>>> = {
  STOP: 'STOP_COPY',
  RUNNING: 'PRE_COPY',
  RUNNING_P2P: 'PRE_COPY_P2P',
}
