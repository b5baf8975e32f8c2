// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { findDevice } from '#lib/index.js'
import { openBottle, openBottledPair } from './bottle.ts'
import { readAll } from './mlx5_stream.ts'
import { startProgram } from './participant.ts'
import { isAtLeast } from './release.ts'

const page = 4096

describe('precopy info of a bottled mlx5 function', () => {
  it('counts the record header of the coming increment only in newer kernels', async () => {
    await using pair = await openBottledPair({ size: 16 * page })
    const { from, source } = pair
    await source.setState('PRE_COPY')
    const bytes = 24 + 16 + 80 + 16 * page
    assert.equal((await source.precopyInfo()).initialBytes, bytes)
    assert.equal((await readAll(source, 'idle')).length, bytes)
    await from.step(2)
    const header = isAtLeast(7, 0) ? 16 : 0
    const { initialBytes, dirtyBytes } = await source.precopyInfo()
    assert.deepEqual([initialBytes, dirtyBytes], [0, 80 + 2 * page + header])
    assert.equal((await readAll(source, 'idle')).length, 16 + 80 + 2 * page)
  })

  it('adds what the firmware allows itself, and the increment is smaller all the same', async () => {
    await using pair = await openBottledPair({ size: 16 * page, estimate_slack: 1000 })
    const { from, source } = pair
    assert.equal(await source.stopCopyBytes(), 80 + 16 * page + 1000)
    await source.setState('PRE_COPY')
    await readAll(source, 'idle')
    assert.equal((await source.precopyInfo()).dirtyBytes, 0)
    await from.step(1)
    assert.ok((await source.precopyInfo()).dirtyBytes >= 80 + page + 1000)
    assert.equal((await readAll(source, 'idle')).length, 16 + 80 + page)
  })
})

describe('a blocking read of a bottled mlx5 function while an increment is being saved', () => {
  it('says that there is nothing in older kernels, and waits for it in newer ones', async () => {
    await using bottle = await openBottle({ size: 16 * page, functions: 1 })
    const [bottled] = bottle.functions
    assert.ok(bottled)
    const { cdev } = await findDevice(bottled.address)
    await using reader = startProgram('blocking_read', [cdev?.node ?? ''])
    assert.equal(await reader.hear(), 'ENOMSG')
    await bottled.step(1)
    await bottled.set({ latency: { SAVE: 100_000 } })
    assert.equal(await reader.ask('go on'), isAtLeast(7, 0) ? String(16 + 80 + page) : 'ENOMSG')
  })
})
