// SPDX-License-Identifier: Apache-2.0
import type { DeviceCalls } from '#lib/backend/seam.js'
import { ScriptedDevice } from '../device/scripted_device.js'

const configIndex = 7
const begin = configIndex * 2 ** 40

/** A device of which the test writes the config space. */
export class ConfigDevice extends ScriptedDevice {
  readonly config = new DataView(new ArrayBuffer(256))
  readonly barBytes = [0x1000, 0, 0, 0, 0, 0]
  configBytes = 256
  /** It keeps what is written to it. */
  takes = true

  constructor() {
    super('scripted')
    Object.assign(this.calls, this.#regionCalls())
  }

  /** `table` and `pendingBits` as the registers have them: the BAR is in the low three bits. */
  addMsix({ vectors, table, pendingBits }: Record<'vectors' | 'table' | 'pendingBits', number>): void {
    const at = 0x60
    this.config.setUint16(6, 0x10, true)
    this.config.setUint8(0x34, 0x40)
    this.config.setUint16(0x40, 0x01 | (at << 8), true) // power management, before it
    this.config.setUint16(at, 0x11, true)
    this.config.setUint16(at + 2, (vectors - 1) | 0x8000, true)
    this.config.setUint32(at + 4, table, true)
    this.config.setUint32(at + 8, pendingBits, true)
  }

  #regionCalls(): Partial<DeviceCalls> {
    const calls = { ...this.calls }
    const bytes = Buffer.from(this.config.buffer)
    return {
      deviceInfo: () => Promise.resolve({ result: 0, flags: 2, numRegions: 8, numIrqs: 0 }),
      regionInfo: index => {
        const size = index === configIndex ? this.configBytes : (this.barBytes[index] ?? 0)
        return Promise.resolve({ result: 0, flags: 3, size, offset: index * 2 ** 40 })
      },
      regionRead: async (offset, length, width) => {
        await calls.regionRead(offset, length, width)
        return {
          result: length,
          data: Uint8Array.from(bytes.subarray(offset - begin, offset - begin + length)),
        }
      },
      regionWrite: async (offset, data, width) => {
        if (this.takes) bytes.set(data, offset - begin)
        return await calls.regionWrite(offset, data, width)
      },
    }
  }
}
