// SPDX-License-Identifier: Apache-2.0
import type { DeviceCalls, SessionCalls } from '../backend/seam.ts'
import type { MockDevice } from './device.ts'
import { toJson } from './frame.ts'
import { bytesOf, wordsOf, type Request } from './wire.ts'

/** What goes back for a call: what is said of it, and its bytes. */
export interface Served {
  readonly answer: unknown
  readonly payload?: Uint8Array
}

/** The sessions of one connection, by the numbers that its client has for them. */
export class ServedSessions {
  readonly #sessions = new Map<number, SessionCalls>()
  #next = 1

  add(session: SessionCalls): number {
    this.#sessions.set(this.#next, session)
    return this.#next++
  }

  get(number: number): SessionCalls | undefined {
    return this.#sessions.get(number)
  }
}

/** As the seam wants them. It refuses itself what they are not: that is a mistake of the client. */
type Args = readonly [never, never, never]

interface Call {
  readonly args: Args
  readonly payload: Uint8Array
}

type Serve<T> = (calls: T, call: Call, sessions: ServedSessions) => Promise<Served>

function plain<T>(call: (calls: T, args: Args) => Promise<unknown>): Serve<T> {
  return async (calls, { args }) => ({ answer: await call(calls, args) })
}

function withData<T>(call: (calls: T, args: Args) => Promise<{ readonly data: Uint8Array }>): Serve<T> {
  return async (calls, { args }) => {
    const { data, ...answer } = await call(calls, args)
    return { answer, payload: data }
  }
}

/** The calls on the device, as the seam has them; fds() is answered by the client. */
export const deviceCalls: Readonly<Record<string, Serve<DeviceCalls>>> = {
  deviceInfo: plain(calls => calls.deviceInfo()),
  regionInfo: plain((calls, [index]) => calls.regionInfo(index)),
  regionRead: withData((calls, args) => calls.regionRead(...args)),
  regionWrite: async (calls, { args: [offset, width], payload }) => ({
    answer: await calls.regionWrite(offset, payload, width),
  }),
  probe: plain((calls, [feature, operations]) => calls.probe(feature, operations)),
  migrationFlags: plain(calls => calls.migrationFlags()),
  getState: plain(calls => calls.getState()),
  async setStates(calls, { args: [states] }, sessions) {
    const { session, times, ...rest } = await calls.setStates(states)
    return { answer: { ...rest, times: [...times], session: session && sessions.add(session) } }
  },
  dataSize: plain(calls => calls.dataSize()),
  optInPrecopyInfoV2: plain(calls => calls.optInPrecopyInfoV2()),
  dmaLoggingStart: async (calls, { args: [pageSize], payload }) => ({
    answer: await calls.dmaLoggingStart(pageSize, wordsOf(payload)),
  }),
  dmaLoggingStop: plain(calls => calls.dmaLoggingStop()),
  async dmaLoggingReport(calls, { args }) {
    const { result, bitmap } = await calls.dmaLoggingReport(...args)
    return { answer: { result }, payload: bytesOf(bitmap) }
  },
  reset: plain(calls => calls.reset()),
  close: plain(calls => calls.close()),
}

/** The calls on a data_fd. */
export const sessionCalls: Readonly<Record<string, Serve<SessionCalls>>> = {
  read: withData((calls, [maxBytes, waitMs]) => calls.read(maxBytes, waitMs)),
  write: async (calls, { payload }) => ({ answer: await calls.write(payload) }),
  precopyInfo: plain(calls => calls.precopyInfo()),
  close: plain(calls => calls.close()),
}

/** What a test may ask of the device behind the seam's back. */
export const controlCalls: Readonly<Record<string, (mock: MockDevice, args: Args) => unknown>> = {
  digest: mock => mock.digest(),
  epoch: mock => mock.epoch,
  seed: mock => mock.seed,
  state: mock => mock.state,
  runLog: mock => mock.runLog,
  history: mock => mock.history,
  inject: (mock, [fault]) => mock.inject(fault),
  unusedFaults: mock => mock.unusedFaults(),
  releaseHeld: mock => mock.releaseHeld(),
  step: (mock, [steps]) => mock.step(steps),
  reinit: mock => mock.reinit(),
  detach: mock => mock.detach(),
  attach: mock => mock.attach(),
}

/** Serves a call of the seam; undefined where there is none of that name, or no such session. */
export function serveCall(
  calls: DeviceCalls,
  request: Request,
  payload: Uint8Array,
  sessions: ServedSessions,
): Promise<Served> | undefined {
  const { call, session } = request
  const args = claimed(request)
  if (session === undefined) return own(deviceCalls, call)?.(calls, { args, payload }, sessions)
  const opened = sessions.get(session)
  return opened && own(sessionCalls, call)?.(opened, { args, payload }, sessions)
}

/** Serves a call of the control channel, whose answer is JSON; undefined where there is none of that name. */
export function serveControl(mock: MockDevice, request: Request): Promise<Served> | undefined {
  const control = own(controlCalls, request.call)
  if (control === undefined) return undefined
  const serve = async (): Promise<Served> => ({
    answer: null,
    payload: Buffer.from(toJson((await control(mock, claimed(request))) ?? null)),
  })
  return serve()
}

const claimed = ({ args }: Request): Args => args as unknown as Args

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}
