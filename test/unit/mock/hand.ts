// SPDX-License-Identifier: Apache-2.0
import type { ArcsAnswer, DeviceBackend, SessionCalls } from '#lib/backend/seam.js'
import { errnoName } from '#lib/kernel/errno.js'
import { stateName, stateNumber, type StateName } from '#lib/kernel/state.js'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'

/** A negative answer by its name. */
export const said = (answer: number): number | string => (answer < 0 ? errnoName(answer) : answer)

/** Calls of the seam on a mock, in words. */
export class Hand {
  readonly mock: MockDevice
  readonly backend: DeviceBackend
  #session: SessionCalls | undefined

  constructor(mock: MockDevice, backend = mock.open()) {
    this.mock = mock
    this.backend = backend
  }

  /** The one that was opened last. */
  get session(): SessionCalls {
    if (this.#session === undefined) throw new Error('no session was opened')
    return this.#session
  }

  async set(...states: StateName[]): Promise<ArcsAnswer> {
    const answer = await this.backend.calls.setStates(states.map(stateNumber))
    this.#session = answer.session ?? this.#session
    return answer
  }

  /** What the last of the SETs answered. */
  async answer(...states: StateName[]): Promise<number | string> {
    return said((await this.set(...states)).result)
  }

  /** The name of the state, or the errno. */
  async state(): Promise<number | string> {
    const answer = await this.backend.calls.getState()
    return stateName(answer) ?? said(answer)
  }

  /** One read: how many bytes there were, or the errno. */
  async read(maxBytes = 2 ** 24, waitMs = 0): Promise<number | string> {
    return said((await this.session.read(maxBytes, waitMs)).result)
  }

  /** All that there is to read now. */
  async drain(): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    for (;;) {
      const { result, data } = await this.session.read(2 ** 20, 0)
      if (result <= 0) return Buffer.concat(chunks)
      chunks.push(data)
    }
  }

  async write(bytes: Uint8Array): Promise<number | string> {
    return said(await this.session.write(bytes))
  }

  /** initial, dirty, flags; or the errno. */
  async info(): Promise<[number, number, number] | string> {
    const { result, initialBytes, dirtyBytes, flags } = await this.session.precopyInfo()
    return result < 0 ? errnoName(result) : [initialBytes, dirtyBytes, flags]
  }
}

/** A mock on a virtual clock, open, with 16 KiB of state unless told. */
export function hold(options: MockOptions = {}): Hand & { clock: VirtualClock } {
  const clock = options.clock ?? new VirtualClock()
  const mock = new MockDevice({ size: '16KiB', seed: 0x0123456789abcdefn, ...options, clock })
  return Object.assign(new Hand(mock), { clock })
}

/** The commands that the firmware was given, with how each ended. */
export function commands({ history }: MockDevice): string[] {
  const list: string[] = []
  for (const event of history) {
    if (event.kind === 'command') list.push([event.command, ...Object.values(event.args)].join(' '))
  }
  return list
}
