// SPDX-License-Identifier: Apache-2.0
import type {
  Answer,
  ArcsAnswer,
  BitmapAnswer,
  DataAnswer,
  DeviceBackend,
  DeviceCalls,
  DeviceFds,
  DeviceInfoAnswer,
  RegionInfoAnswer,
} from '../backend/seam.ts'
import { monotonicClock } from '../clock.ts'
import { errno } from '../kernel/errno.ts'
import * as check from './arguments.ts'
import { frameLimits } from './frame.ts'
import { RemoteSession } from './remote_session.ts'
import { bytesOf, copyOf, wordsOf } from './wire.ts'
import { WireClient, type Answered } from './wire_client.ts'

/**
 * Opens the mock that another process serves at `path`. Its calls are answered there; when that process is gone each
 * answers -ENODEV.
 * @throws VfioError ERR_VFIO_NO_DEVICE where nobody serves one, VfioSystemError where it is not to be had.
 */
export async function openRemoteMock(path: string): Promise<DeviceBackend> {
  const { client, device } = await WireClient.connect(path, 'device')
  const { name, driver, origin } = device
  // Both processes stamp their arcs with the one CLOCK_MONOTONIC of the machine.
  const calls = new RemoteDevice(client)
  return { mock: true, name, driver, origin, via: 'backend', clock: monotonicClock, calls }
}

/** As in calls.ts. */
const maxRegionBytes = 2 ** 24

type Told = Exclude<Answered, undefined>

/** The seam of a device in another process. Lanes and order are the host's. */
class RemoteDevice implements DeviceCalls {
  readonly #client: WireClient
  readonly #sessions = new Set<RemoteSession>()
  #arc = 0
  #closed: Promise<void> | undefined

  constructor(client: WireClient) {
    this.#client = client
  }

  deviceInfo(): Promise<DeviceInfoAnswer> {
    return this.#ask('deviceInfo', [], result => ({ result, flags: 0, numRegions: 0, numIrqs: 0 }))
  }

  regionInfo(index: number): Promise<RegionInfoAnswer> {
    check.checkUint32(index, 'index')
    return this.#ask('regionInfo', [index], result => ({ result, flags: 0, size: 0, offset: 0 }))
  }

  regionRead(offset: number, length: number, width: number): Promise<DataAnswer> {
    check.checkSize(offset, 'offset')
    check.checkSize(length, 'length')
    check.checkAccess(width, length, 'length')
    const none = (result: number): DataAnswer => ({ result, data: new Uint8Array(0) })
    return this.#ask('regionRead', [offset, length, width], none, ({ answer, payload }) => ({
      ...(answer as { result: number }),
      data: payload,
    }))
  }

  regionWrite(offset: number, data: Uint8Array, width: number): Promise<Answer> {
    check.checkSize(offset, 'offset')
    check.checkBytes(data, 'data')
    check.checkAccess(width, data.length, 'data')
    if (data.length > maxRegionBytes) throw new TypeError('data must be at most 16 MiB')
    return this.#number('regionWrite', [offset, width], copyOf(data))
  }

  probe(feature: number, operations: number): Promise<Answer> {
    check.checkUint32(feature, 'feature')
    check.checkUint32(operations, 'operations')
    return this.#number('probe', [feature, operations])
  }

  migrationFlags(): Promise<Answer> {
    return this.#number('migrationFlags', [])
  }

  getState(): Promise<Answer> {
    return this.#number('getState', [])
  }

  setStates(states: readonly number[]): Promise<ArcsAnswer> {
    check.checkStates(states)
    const none = (result: number): ArcsAnswer => ({
      result,
      done: 0,
      times: new Float64Array(0),
      arc: this.#arc,
    })
    return this.#ask('setStates', [states], none, ({ answer }) => this.#arcs(answer))
  }

  dataSize(): Promise<Answer> {
    return this.#number('dataSize', [])
  }

  optInPrecopyInfoV2(): Promise<Answer> {
    return this.#number('optInPrecopyInfoV2', [])
  }

  dmaLoggingStart(pageSize: number, ranges: BigUint64Array): Promise<Answer> {
    check.checkSize(pageSize, 'pageSize')
    check.checkPairs(ranges, 'ranges')
    // More than any kernel takes.
    if (ranges.byteLength > frameLimits.payload) return Promise.resolve(-errno.E2BIG)
    return this.#number('dmaLoggingStart', [pageSize], bytesOf(ranges.slice()))
  }

  dmaLoggingStop(): Promise<Answer> {
    return this.#number('dmaLoggingStop', [])
  }

  dmaLoggingReport(iova: bigint, length: bigint, pageSize: number): Promise<BitmapAnswer> {
    check.checkUint64(iova, 'iova')
    check.checkUint64(length, 'length')
    check.checkSize(pageSize, 'pageSize')
    const none = (result: number): BitmapAnswer => ({ result, bitmap: new BigUint64Array(0) })
    return this.#ask('dmaLoggingReport', [iova, length, pageSize], none, ({ answer, payload }) => ({
      ...(answer as { result: number }),
      bitmap: wordsOf(payload),
    }))
  }

  reset(): Promise<Answer> {
    return this.#number('reset', [])
  }

  fds(): DeviceFds {
    return { device: -1 }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    for (const session of this.#sessions) session.endWithDevice()
    await this.#client.request('close', [])
    this.#client.end()
  }

  #arcs(answer: unknown): ArcsAnswer {
    const { times, session, ...rest } = answer as Omit<ArcsAnswer, 'times' | 'session'> & {
      times: number[]
      session?: number
    }
    this.#arc = rest.arc
    const made = { ...rest, times: Float64Array.from(times) }
    if (session === undefined) return made
    const opened = new RemoteSession(this.#client, session)
    this.#sessions.add(opened)
    return { ...made, session: opened }
  }

  #number(call: string, args: readonly unknown[], payload?: Uint8Array): Promise<Answer> {
    return this.#ask(call, args, result => result, undefined, payload)
  }

  /** `refused` makes an answer of -errno, `revive` of what the host says. */
  async #ask<T>(
    call: string,
    args: readonly unknown[],
    refused: (result: number) => T,
    revive: (answered: Told) => T = ({ answer }) => answer as T,
    payload?: Uint8Array,
  ): Promise<T> {
    if (this.#closed) return refused(-errno.EBADF)
    const answered = await this.#client.request(call, args, payload && { payload })
    return answered === undefined ? refused(-errno.ENODEV) : revive(answered)
  }
}
