// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { ArcsAnswer, DeviceCalls, SessionCalls } from '#lib/backend/seam.js'
import { stateNumber, type StateName } from '#lib/kernel/state.js'
import { MockDevice, VirtualClock, type MockOptions } from '#lib/mock/index.js'

/** A mock on a clock of its own, opened, with its seam in words. */
export class Opened {
  readonly mock: MockDevice
  readonly clock: VirtualClock
  calls: DeviceCalls

  constructor(options: MockOptions) {
    this.clock = new VirtualClock()
    this.mock = new MockDevice({ clock: this.clock, seed: 0x0102_0304_0506_0708n, ...options })
    this.calls = this.mock.open().calls
  }

  async set(...states: StateName[]): Promise<ArcsAnswer> {
    return await this.calls.setStates(states.map(stateNumber))
  }

  /** The session that setting these states opens. */
  async session(...states: StateName[]): Promise<SessionCalls> {
    const { result, session } = await this.set(...states)
    assert.equal(result, 0)
    assert.ok(session)
    return session
  }

  /** Brings it to `states`, which succeeds. */
  async to(...states: StateName[]): Promise<void> {
    assert.equal((await this.set(...states)).result, 0)
  }

  /** Closes it, and opens it again. */
  async reopen(): Promise<void> {
    await this.calls.close()
    this.calls = this.mock.open().calls
  }
}

/** All that is there to read now, and the answer that ended it. */
export async function drain(session: SessionCalls): Promise<{ bytes: Buffer; last: number }> {
  const pieces: Uint8Array[] = []
  for (;;) {
    const { result, data } = await session.read(1024 * 1024, 0)
    if (result <= 0) return { bytes: Buffer.concat(pieces), last: result }
    pieces.push(data)
  }
}

/** The whole stream of a stopped device. */
export async function saved(device: Opened): Promise<Buffer> {
  const { bytes, last } = await drain(await device.session('STOP_COPY'))
  assert.equal(last, 0)
  return bytes
}

/** Bytes as hexadecimal, with blanks wherever they help. */
export function bytes(...hex: string[]): Buffer {
  return Buffer.from(hex.join('').replaceAll(' ', ''), 'hex')
}
