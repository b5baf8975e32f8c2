// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { ArcsAnswer, DeviceBackend, DeviceCalls, SessionCalls } from '#lib/backend/seam.js'
import { openByName, type OpenOptions } from '#lib/device/by_name.js'
import { stateName, stateNames, type StateName } from '#lib/kernel/state.js'

/** A device's system calls without the library above them; reset and closed when it is disposed of. */
export interface Seam extends AsyncDisposable {
  readonly backend: DeviceBackend
  readonly calls: DeviceCalls
  /** One SET for each state. */
  set(...states: StateName[]): Promise<ArcsAnswer>
  /** SETs that must succeed and end in a session. */
  begin(...states: StateName[]): Promise<SessionCalls>
  state(): Promise<StateName | undefined>
}

export async function openSeam(name: string, options: OpenOptions = {}): Promise<Seam> {
  const backend = await openByName(name, options)
  const { calls } = backend
  const set = async (...states: StateName[]): Promise<ArcsAnswer> =>
    await calls.setStates(states.map(state => stateNames.indexOf(state)))
  return {
    backend,
    calls,
    set,
    async begin(...states) {
      const { result, session } = await set(...states)
      assert.equal(result, 0)
      return session ?? assert.fail(`${states.join()} gave no session`)
    },
    state: async () => stateName(await calls.getState()),
    async [Symbol.asyncDispose]() {
      await calls.reset()
      await calls.close()
    },
  }
}
