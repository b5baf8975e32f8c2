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
import { savingGroup, stateName } from '../kernel/state.ts'
import * as check from './arguments.ts'
import { Boundary } from './boundary.ts'
import type { Core } from './core.ts'
import type { Regions, Session } from './drivers/driver.ts'
import { probe } from './features.ts'
import { Lane } from './lane.ts'
import { readRegion, writeRegion } from './region_access.ts'
import { MockSessionCalls, type SessionHost } from './session_calls.ts'

/** As native/core/dma_log.cc has it. */
const maxBitmapWords = 2 ** 26 / 8
const noBits: BitmapAnswer['bitmap'] = new BigUint64Array(0)
const maxRegionBytes = 2 ** 24

/** One holder's calls on a device: native/core/device.cc over a simulated kernel. */
export class MockDeviceCalls implements DeviceCalls, SessionHost {
  readonly core: Core
  readonly boundary: Boundary
  readonly lane: Lane = new Lane()
  readonly #regions: Regions
  readonly #sessions = new Set<MockSessionCalls>()
  readonly #resets = new Set<Promise<unknown>>()
  #arc = 0
  #isClosing = false
  #closed: Promise<void> | undefined

  /** The device was opened for it. */
  constructor(core: Core, regions: Regions) {
    this.core = core
    this.boundary = new Boundary(core)
    this.#regions = regions
  }

  get arc(): number {
    return this.#arc
  }

  deviceInfo(): Promise<DeviceInfoAnswer> {
    const refused = (result: number): DeviceInfoAnswer => ({ result, flags: 0, numRegions: 0, numIrqs: 0 })
    return this.#ask(
      'deviceInfo',
      [],
      () => this.#regions.info(),
      refused,
      ({ result }) => result,
    )
  }

  regionInfo(index: number): Promise<RegionInfoAnswer> {
    check.checkUint32(index, 'index')
    const refused = (result: number): RegionInfoAnswer => ({ result, flags: 0, size: 0, offset: 0 })
    return this.#ask(
      'regionInfo',
      [index],
      () => this.#regions.region(index),
      refused,
      ({ result }) => result,
    )
  }

  regionRead(offset: number, length: number, width: number): Promise<DataAnswer> {
    check.checkSize(offset, 'offset')
    check.checkSize(length, 'length')
    check.checkAccess(width, length, 'length')
    const refused = (result: number): DataAnswer => ({ result, data: new Uint8Array(0) })
    const read = (): DataAnswer => readRegion(this.#regions, offset, length, width)
    return this.#ask('regionRead', [offset, length, width], read, refused, ({ result }) => result)
  }

  regionWrite(offset: number, data: Uint8Array, width: number): Promise<Answer> {
    check.checkSize(offset, 'offset')
    check.checkBytes(data, 'data')
    check.checkAccess(width, data.length, 'data')
    if (data.length > maxRegionBytes) throw new TypeError('data must be at most 16 MiB')
    const copy = data.slice()
    return this.#number('regionWrite', [offset, data.length, width], () =>
      writeRegion(this.#regions, offset, copy, width),
    )
  }

  probe(feature: number, operations: number): Promise<Answer> {
    check.checkUint32(feature, 'feature')
    check.checkUint32(operations, 'operations')
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
    const refused = (result: number): ArcsAnswer => ({
      result,
      done: 0,
      times: new Float64Array(0),
      arc: this.#arc,
    })
    return this.#ask(
      'setStates',
      list,
      () => this.#setStates(list),
      refused,
      ({ result }) => result,
    )
  }

  dataSize(): Promise<Answer> {
    return this.#number('dataSize', [], () => this.core.dataSize())
  }

  optInPrecopyInfoV2(): Promise<Answer> {
    return this.#number('optInPrecopyInfoV2', [], () => this.core.optInPrecopyInfoV2())
  }

  dmaLoggingStart(pageSize: number, ranges: BigUint64Array): Promise<Answer> {
    check.checkSize(pageSize, 'pageSize')
    check.checkPairs(ranges, 'ranges')
    const copy = ranges.slice()
    return this.#number('dmaLoggingStart', [pageSize, ...copy], () =>
      this.core.dmaLoggingStart(pageSize, copy),
    )
  }

  dmaLoggingStop(): Promise<Answer> {
    return this.#number('dmaLoggingStop', [], () => this.core.dmaLoggingStop())
  }

  dmaLoggingReport(iova: bigint, length: bigint, pageSize: number): Promise<BitmapAnswer> {
    check.checkUint64(iova, 'iova')
    check.checkUint64(length, 'length')
    check.checkSize(pageSize, 'pageSize')
    const refused = (result: number): BitmapAnswer => ({ result, bitmap: noBits })
    const report = async (): Promise<BitmapAnswer> => {
      const words = countWords(length, pageSize)
      if (words < 0) return refused(words)
      const bitmap = new BigUint64Array(words)
      const result = await this.core.dmaLoggingReport(iova, length, pageSize, bitmap)
      return result < 0 ? refused(result) : { result, bitmap }
    }
    return this.#ask('dmaLoggingReport', [iova, length, pageSize], report, refused, ({ result }) => result)
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

  async #close(): Promise<void> {
    this.#isClosing = true
    this.lane.stop()
    const sessions = [...this.#sessions].map(session => session.shutdown())
    await Promise.all([this.lane.ended(), ...sessions, ...this.#resets])
    await this.core.close()
  }

  async #setStates(states: readonly number[]): Promise<ArcsAnswer> {
    const { clock, faults } = this.core
    const unprepared = states.some(mayOpenSession) ? faults.take('PREPARE_SESSION')?.errno : undefined
    const times = [clock.now()]
    let result = unprepared === undefined ? 0 : -errno[unprepared]
    let session: MockSessionCalls | undefined
    let done = 0
    for (const state of result < 0 ? [] : states) {
      const made = await this.core.setState(state)
      times.push(clock.now())
      if (typeof made === 'number' && made < 0) {
        result = made
        break
      }
      this.#arc++
      done++
      if (typeof made === 'number') continue
      if (this.#isClosing) {
        result = -errno.ECANCELED
        break
      }
      session = this.#openSession(made, session)
    }
    return { result, done, times: Float64Array.from(times), arc: this.#arc, ...(session && { session }) }
  }

  /** One that came before it in the same list was ended by the path itself. */
  #openSession(session: Session, before: MockSessionCalls | undefined): MockSessionCalls {
    void before?.shutdown()
    const calls = new MockSessionCalls(this, session)
    this.#sessions.add(calls)
    return calls
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

function mayOpenSession(number: number): boolean {
  const state = stateName(number)
  return state === 'RESUMING' || (state !== undefined && savingGroup.has(state))
}

/** The bitmap's size has to be known before the kernel is asked. */
function countWords(length: bigint, pageSize: number): number {
  const isPowerOfTwo = Number.isInteger(Math.log2(pageSize))
  if (pageSize < 4096 || !isPowerOfTwo || length === 0n) return -errno.EINVAL
  const words = (length - 1n) / BigInt(pageSize) / 64n + 1n
  return words > BigInt(maxBitmapWords) ? -errno.E2BIG : Number(words)
}
