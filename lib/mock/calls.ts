// SPDX-License-Identifier: Apache-2.0
import type {
  Answer,
  ArcsAnswer,
  BitmapAnswer,
  DataAnswer,
  DeviceCalls,
  DeviceFds,
  DeviceInfoAnswer,
  RegionInfoAnswer,
} from '../backend/seam.ts'
import { errno } from '../kernel/errno.ts'
import * as check from './arguments.ts'
import { Boundary } from './boundary.ts'
import type { Core } from './core.ts'
import type { Regions } from './drivers/driver.ts'
import { probe } from './features.ts'
import { Lane } from './lane.ts'
import { refusals } from './refusals.ts'
import { readRegion, writeRegion } from './region_access.ts'
import type { SessionHost } from './session_calls.ts'
import { Sets } from './sets.ts'

/** As native/core/dma_log.cc has it. */
const maxBitmapWords = 2 ** 26 / 8

/** One holder's calls on a device: native/core/device.cc over a simulated kernel. */
export class MockDeviceCalls implements DeviceCalls, SessionHost {
  readonly core: Core
  readonly boundary: Boundary
  readonly lane: Lane = new Lane()
  readonly #regions: Regions
  readonly #sets: Sets
  readonly #resets = new Set<Promise<unknown>>()
  #isClosing = false
  #closed: Promise<void> | undefined

  /** The device was opened for it. */
  constructor(core: Core, regions: Regions) {
    this.core = core
    this.boundary = new Boundary(core)
    this.#regions = regions
    this.#sets = new Sets(this)
  }

  get arc(): number {
    return this.#sets.count
  }

  deviceInfo(): Promise<DeviceInfoAnswer> {
    return this.#answer('deviceInfo', [], () => this.#regions.info(), refusals.deviceInfo)
  }

  regionInfo(index: number): Promise<RegionInfoAnswer> {
    check.checkUint32(index, 'index')
    return this.#answer('regionInfo', [index], () => this.#regions.region(index), refusals.regionInfo)
  }

  regionRead(offset: number, length: number, width: number): Promise<DataAnswer> {
    check.checkRegionRead(offset, length, width)
    const read = (): DataAnswer => readRegion(this.#regions, offset, length, width)
    return this.#answer('regionRead', [offset, length, width], read, refusals.regionRead)
  }

  regionWrite(offset: number, data: Uint8Array, width: number): Promise<Answer> {
    check.checkRegionWrite(offset, data, width)
    // Not slice(), which is no copy of a Buffer.
    const copy = new Uint8Array(data)
    return this.#number('regionWrite', [offset, data.length, width], () =>
      writeRegion(this.#regions, offset, copy, width),
    )
  }

  probe(feature: number, operations: number): Promise<Answer> {
    check.checkProbe(feature, operations)
    return this.#number('probe', [feature, operations], () => probe(feature, operations, this.core.options))
  }

  migrationFlags(): Promise<Answer> {
    return this.#number('migrationFlags', [], () => this.core.migrationFlags())
  }

  getState(): Promise<Answer> {
    return this.#number('getState', [], () => this.core.getState())
  }

  setStates(states: readonly number[]): Promise<ArcsAnswer> {
    check.checkStates(states)
    const list = [...states]
    const refused = (result: number): ArcsAnswer => refusals.setStates(result, this.arc)
    return this.#answer('setStates', list, () => this.#sets.make(list), refused)
  }

  dataSize(): Promise<Answer> {
    return this.#number('dataSize', [], () => this.core.dataSize())
  }

  optInPrecopyInfoV2(): Promise<Answer> {
    return this.#number('optInPrecopyInfoV2', [], () => this.core.optInPrecopyInfoV2())
  }

  dmaLoggingStart(pageSize: number, ranges: BigUint64Array): Promise<Answer> {
    check.checkLogStart(pageSize, ranges)
    const copy = ranges.slice()
    return this.#number('dmaLoggingStart', [pageSize, ...copy], () =>
      this.core.dmaLoggingStart(pageSize, copy),
    )
  }

  dmaLoggingStop(): Promise<Answer> {
    return this.#number('dmaLoggingStop', [], () => this.core.dmaLoggingStop())
  }

  dmaLoggingReport(iova: bigint, length: bigint, pageSize: number): Promise<BitmapAnswer> {
    check.checkLogReport(iova, length, pageSize)
    const refused = refusals.dmaLoggingReport
    const report = async (): Promise<BitmapAnswer> => {
      const words = countWords(length, pageSize)
      if (words < 0) return refused(words)
      const bitmap = new BigUint64Array(words)
      const result = await this.core.dmaLoggingReport(iova, length, pageSize, bitmap)
      return result < 0 ? refused(result) : { result, bitmap }
    }
    return this.#answer('dmaLoggingReport', [iova, length, pageSize], report, refused)
  }

  /** Beside the lane, so that it can overtake a call that hangs. */
  reset(): Promise<Answer> {
    const reset = async (): Promise<Answer> => {
      if (this.#isClosing) return -errno.EBADF
      const running = this.core.reset()
      this.#resets.add(running)
      return await running.finally(() => this.#resets.delete(running))
    }
    return this.boundary.call('reset', [], reset, result => result)
  }

  /** There is no fd of a simulated device. */
  fds(): DeviceFds {
    return { device: -1 }
  }

  close(): Promise<void> {
    this.#closed ??= this.boundary.call(
      'close',
      [],
      () => this.#close(),
      () => 0,
    )
    return this.#closed
  }

  /** Its process was killed: the call in the kernel comes to its end, and no other follows it. */
  abandon(): void {
    this.#sets.abandon()
  }

  async #close(): Promise<void> {
    this.#isClosing = true
    this.lane.stop()
    await Promise.all([this.#sets.shutdown(), this.lane.ended(), ...this.#resets])
    await this.core.close()
  }

  #number(call: string, args: readonly unknown[], work: () => Promise<Answer> | Answer): Promise<Answer> {
    return this.#ask(
      call,
      args,
      work,
      result => result,
      result => result,
    )
  }

  #answer<T extends { readonly result: number }>(
    call: string,
    args: readonly unknown[],
    work: () => Promise<T> | T,
    refused: (answer: number) => T,
  ): Promise<T> {
    return this.#ask(call, args, work, refused, ({ result }) => result)
  }

  #ask<T>(
    call: string,
    args: readonly unknown[],
    work: () => Promise<T> | T,
    refused: (answer: number) => T,
    resultOf: (answer: T) => number,
  ): Promise<T> {
    const inLane = (): Promise<T> => this.lane.post(async () => await work(), refused, -errno.EBADF)
    return this.boundary.call(call, args, inLane, resultOf)
  }
}

/** The bitmap's size has to be known before the kernel is asked. */
function countWords(length: bigint, pageSize: number): number {
  const isPowerOfTwo = Number.isInteger(Math.log2(pageSize))
  if (pageSize < 4096 || !isPowerOfTwo || length === 0n) return -errno.EINVAL
  const words = (length - 1n) / BigInt(pageSize) / 64n + 1n
  return words > BigInt(maxBitmapWords) ? -errno.E2BIG : Number(words)
}
