// SPDX-License-Identifier: Apache-2.0
import type { Answer, DeviceCalls } from '../backend/seam.ts'
import { VfioSystemError } from '../errors.ts'

/** A stretch of the device's DMA address space, in bytes. */
export interface IovaRange {
  readonly iova: bigint
  readonly length: bigint
}

/** What the device writes into memory, page by page (VFIO_DEVICE_FEATURE_DMA_LOGGING_*). */
export class DmaLogging {
  readonly #calls: DeviceCalls
  readonly #device: string
  readonly #check: (operation: string) => void

  /** @internal */
  constructor(calls: DeviceCalls, device: string, check: (operation: string) => void) {
    this.#calls = calls
    this.#device = device
    this.#check = check
  }

  /**
   * Starts logging. `pageSize` in bytes is a wish; the answer is the page size that the device logs in. Mappings that
   * are made later outside `ranges` are not logged.
   */
  async start(options: { pageSize: number; ranges: readonly IovaRange[] }): Promise<{ pageSize: number }> {
    this.#check('dmaLogging.start()')
    const { pageSize, ranges } = options
    for (const { iova, length } of ranges) checkAddresses(iova, length)
    const flat = BigUint64Array.from(ranges.flatMap(({ iova, length }) => [iova, length]))
    const answer = await this.#calls.dmaLoggingStart(pageSize, flat)
    return { pageSize: this.#checked(answer, 'VFIO_DEVICE_FEATURE_DMA_LOGGING_START') }
  }

  /**
   * The pages of the range that the device wrote since the last report, cleared by asking. Bit k (least significant
   * first, in words of 64) is the page at `iova + k * pageSize`. Any failure means: take every page as written.
   */
  async report(options: { iova: bigint; length: bigint; pageSize: number }): Promise<BigUint64Array> {
    this.#check('dmaLogging.report()')
    const { iova, length, pageSize } = options
    checkAddresses(iova, length)
    const { result, bitmap } = await this.#calls.dmaLoggingReport(iova, length, pageSize)
    this.#checked(result, 'VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT')
    return bitmap
  }

  /** Stops logging; no failure when none was started. */
  async stop(): Promise<void> {
    this.#check('dmaLogging.stop()')
    this.#checked(await this.#calls.dmaLoggingStop(), 'VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP')
  }

  #checked(answer: Answer, request: string): number {
    if (answer < 0) throw new VfioSystemError(answer, { syscall: 'ioctl', request }, { device: this.#device })
    return answer
  }
}

/** A BigUint64Array would take a negative number for a large one. */
function checkAddresses(iova: bigint, length: bigint): void {
  for (const [name, value] of Object.entries({ iova, length })) {
    if (value < 0n || value >= 2n ** 64n)
      throw new RangeError(`${name} ${value} is no unsigned number of 64 bits`)
  }
}
