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
import { checkPath } from './control_arguments.ts'
import { frameLimits } from './frame.ts'
import { refusals } from './refusals.ts'
import { RemoteSession } from './remote_session.ts'
import { bytesOf, copyOf, wordsOf } from './wire.ts'
import { WireClient, type Answered } from './wire_client.ts'

/**
 * Opens the mock that another process serves at `path`. Its calls are answered there; when that process is gone each
 * answers -ENODEV.
 * @throws VfioError ERR_VFIO_NO_DEVICE where nobody serves one, VfioSystemError where it is not to be had.
 */
export async function openRemoteMock(path: string): Promise<DeviceBackend> {
  checkPath(path)
  const { client, device } = await WireClient.connect(path, 'device')
  const { name, driver, origin } = device
  // Both processes stamp their arcs with the one CLOCK_MONOTONIC of the machine.
  const calls = new RemoteDevice(client)
  return { mock: true, name, driver, origin, via: 'backend', clock: monotonicClock, calls }
}

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
    return this.#ask('deviceInfo', [], refusals.deviceInfo)
  }

  regionInfo(index: number): Promise<RegionInfoAnswer> {
    check.checkUint32(index, 'index')
    return this.#ask('regionInfo', [index], refusals.regionInfo)
  }

  regionRead(offset: number, length: number, width: number): Promise<DataAnswer> {
    check.checkRegionRead(offset, length, width)
    const args = [offset, length, width]
    return this.#ask('regionRead', args, refusals.regionRead, ({ answer, payload }) => ({
      ...(answer as { result: number }),
      data: payload,
    }))
  }

  regionWrite(offset: number, data: Uint8Array, width: number): Promise<Answer> {
    check.checkRegionWrite(offset, data, width)
    return this.#number('regionWrite', [offset, width], copyOf(data))
  }

  probe(feature: number, operations: number): Promise<Answer> {
    check.checkProbe(feature, operations)
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
    const issued = monotonicClock.now()
    // Lost with the host: nobody can tell whether a SET was made, but not that none was.
    const refused = (result: number): ArcsAnswer => ({
      ...refusals.setStates(result, this.#arc),
      ...(result === -errno.ENODEV && { times: Float64Array.of(issued, monotonicClock.now()) }),
    })
    return this.#ask('setStates', [states], refused, ({ answer }) => this.#arcs(answer))
  }

  dataSize(): Promise<Answer> {
    return this.#number('dataSize', [])
  }

  optInPrecopyInfoV2(): Promise<Answer> {
    return this.#number('optInPrecopyInfoV2', [])
  }

  dmaLoggingStart(pageSize: number, ranges: BigUint64Array): Promise<Answer> {
    check.checkLogStart(pageSize, ranges)
    // More than any kernel takes.
    if (ranges.byteLength > frameLimits.payload) return Promise.resolve(-errno.E2BIG)
    return this.#number('dmaLoggingStart', [pageSize], bytesOf(ranges.slice()))
  }

  dmaLoggingStop(): Promise<Answer> {
    return this.#number('dmaLoggingStop', [])
  }

  dmaLoggingReport(iova: bigint, length: bigint, pageSize: number): Promise<BitmapAnswer> {
    check.checkLogReport(iova, length, pageSize)
    const args = [iova, length, pageSize]
    return this.#ask('dmaLoggingReport', args, refusals.dmaLoggingReport, ({ answer, payload }) => ({
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
    // A kernel that has crashed closes nothing, but the connection goes.
    await this.#client.request('close', []).finally(() => this.#client.end())
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
