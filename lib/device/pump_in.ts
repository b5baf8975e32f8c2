// SPDX-License-Identifier: Apache-2.0
import { AbortError } from '../abort.ts'
import type { Pump, PumpAnswer, SessionCalls } from '../backend/seam.ts'
import type { Clock } from '../clock.ts'
import { VfioSystemError } from '../errors.ts'
import { errno } from '../kernel/errno.ts'
import { readSome } from './far_end.ts'
import { Pace } from './pace.ts'
import type { PumpOptions } from './pump_options.ts'

/** Bytes from an fd on their way to a device: in the data lane, past JavaScript, where the backend can. */
export class PumpIn {
  readonly #fd: number
  readonly #options: PumpOptions
  readonly #pace: Pace
  #bytes = 0
  #running: Pump | undefined

  constructor(clock: Clock, fd: number, options: PumpOptions) {
    this.#fd = fd
    this.#options = options
    this.#pace = new Pace(clock, options.bytesPerSecond)
  }

  /** What the device has taken while the copy loop runs. */
  get bytesWritten(): number {
    return this.#running?.bytesWritten() ?? 0
  }

  /** By the copy loop of the backend; answers what that came to, or undefined where it has none. */
  async run(session: SessionCalls): Promise<PumpAnswer | undefined> {
    const { maxBytes = Number.MAX_SAFE_INTEGER, bytesPerSecond = 0, signal } = this.#options
    const pump = session.pumpFrom?.(this.#fd, maxBytes, bytesPerSecond)
    if (pump === undefined) return undefined
    const onAbort = (): void => pump.cancel()
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#running = pump
    try {
      return await pump.done
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** What a copy loop ended at, where that is the fd's affair. @throws what has gone wrong there. */
  endOf({ result, call }: PumpAnswer): 'end' | 'limit' {
    if (result > 0) return 'limit'
    if (result === 0) return 'end'
    if (result === -errno.ECANCELED) throw new AbortError(this.#options.signal?.reason)
    throw new VfioSystemError(result, { syscall: call })
  }

  /** From here; `load` resolves when the device has taken the chunk. */
  async copy(load: (chunk: Uint8Array) => Promise<void>): Promise<{ bytes: number; pause: 'end' | 'limit' }> {
    const memory = Buffer.allocUnsafeSlow(this.#pace.pieceBytes)
    const { maxBytes = Number.MAX_SAFE_INTEGER, signal } = this.#options
    for (;;) {
      await this.#pace.wait(signal)
      const room = Math.min(memory.length, maxBytes - this.#bytes)
      if (room === 0) return { bytes: this.#bytes, pause: 'limit' }
      const chunk = await readSome(this.#fd, memory.subarray(0, room), signal)
      if (signal?.aborted && chunk.length === 0) throw new AbortError(signal.reason)
      if (chunk.length === 0) return { bytes: this.#bytes, pause: 'end' }
      this.#pace.take(chunk.length)
      await load(chunk)
      this.#bytes += chunk.length
    }
  }
}
