// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { openDevice } from '#lib/device/open.js'
import { MockDevice } from 'vfio-migrate/mock'
import { saveKeepingChunks } from './kept_chunks.js'

describe('the chunks of a pipeline', () => {
  it("are the consumer's own, all of them and for ever, over the mock", async () => {
    const [from, to] = [new MockDevice({ size: 12 << 20 }), new MockDevice({ size: 12 << 20 })]
    await using source = await openDevice(from)
    await using destination = await openDevice(to)
    const saved = await saveKeepingChunks(source)
    await destination.setState('RESUMING')
    await pipeline(Readable.from([saved]), destination.resumingStream)
    await destination.setState('STOP')
    // LOAD holds every byte against what the state says it is.
    assert.equal(to.digest(), from.digest())
  })
})
