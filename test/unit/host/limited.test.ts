// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mapLimited } from '#lib/host/limited.js'

describe('mapLimited', () => {
  it('answers in the order of the items, whatever the order in which they finish', async () => {
    const waits = [3, 1, 2, 0]
    const answers = await mapLimited(waits, async turns => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      return turns * 10
    })
    assert.deepEqual(answers, [30, 10, 20, 0])
  })

  it('has no more than sixteen calls under way', async () => {
    let now = 0
    let most = 0
    await mapLimited(Array.from({ length: 100 }), async () => {
      most = Math.max(most, ++now)
      await Promise.resolve()
      now--
    })
    assert.equal(most, 16)
  })

  it('rejects as the first failing call does', async () => {
    await assert.rejects(
      mapLimited([1], () => Promise.reject(new Error('EMFILE'))),
      { message: 'EMFILE' },
    )
  })
})
