// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { untilAborted } from '#lib/abort.js'

describe('untilAborted', () => {
  it('rejects at once with the reason of a signal that has fired', async () => {
    const never = new Promise<never>(() => undefined)
    const reason = new Error('enough')
    await assert.rejects(untilAborted(never, AbortSignal.abort(reason)), {
      name: 'AbortError',
      cause: reason,
    })
  })

  it('settles as the work does, and leaves no listener behind', async () => {
    const { signal } = new AbortController()
    assert.equal(await untilAborted(Promise.resolve(7), signal), 7)
    await assert.rejects(untilAborted(Promise.reject(new Error('own')), signal), /own/)
  })
})
