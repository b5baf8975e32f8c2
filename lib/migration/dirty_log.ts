// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import type { DmaLoggingOptions } from './options.ts'

/** The DMA logs of the source's devices while they are migrated. */
export class DirtyLog {
  readonly #options: DmaLoggingOptions
  readonly #started = new Map<Device, number>()

  constructor(options: DmaLoggingOptions) {
    this.#options = options
  }

  /** All of them, or none: where one cannot, what was begun is ended by {@link stop}. */
  async start(devices: readonly Device[]): Promise<void> {
    const { pageSize, ranges } = this.#options
    for (const device of devices) {
      this.#started.set(device, (await device.dmaLogging.start({ pageSize, ranges })).pageSize)
    }
  }

  /** Tells what was written since the report before. The last one is asked when all devices stand. */
  async report(isLast: boolean): Promise<void> {
    for (const [device, pageSize] of this.#started) {
      for (const range of this.#options.ranges) {
        const bitmap = await device.dmaLogging.report({ ...range, pageSize })
        // A migration that has ended tells nothing any more.
        if (!this.#started.has(device)) return
        await this.#options.onDirty({ device, range, pageSize, bitmap, isLast })
      }
    }
  }

  /** Each of them, also where another refuses: one that is poisoned does. */
  async stop(): Promise<void> {
    const devices = [...this.#started.keys()]
    this.#started.clear()
    await Promise.allSettled(devices.map(device => device.dmaLogging.stop()))
  }
}
