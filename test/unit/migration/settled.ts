// SPDX-License-Identifier: Apache-2.0
import { setImmediate as turn } from 'node:timers/promises'

/** Whether a promise has settled when everything that can happen now has happened. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  promise.then(
    () => (settled = true),
    () => (settled = true),
  )
  await turn()
  return settled
}
