// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate } from '#lib/index.js'
import { openPair } from './opened.ts'
import { readPort, writePort } from './uart.ts'

describe('two migrations at once', () => {
  it('move each state where it belongs', async () => {
    await using one = await openPair('mtty-1')
    await using two = await openPair('mtty-2')
    const [stateOne, stateTwo] = [
      { scratch: 0x11, fifo: [1] },
      { scratch: 0x22, fifo: [2, 3] },
    ]
    await writePort(one.source, 0, stateOne)
    await writePort(two.source, 1, stateTwo)
    const reports = await Promise.all(
      [one, two].map(({ source, destination }) => migrate({ from: source, to: destination })),
    )
    assert.deepEqual(
      reports.map(({ bytes }) => bytes),
      [60, 96],
    )
    assert.deepEqual(await readPort(one.destination, 0), stateOne)
    assert.deepEqual(await readPort(two.destination, 1), stateTwo)
    for (const { source, destination } of [one, two]) {
      assert.deepEqual([await source.state(), await destination.state()], ['STOP', 'RUNNING'])
    }
  })

  it('refuse a second path on a device that is being driven', async () => {
    await using pair = await openPair()
    const first = pair.source.setState('STOP_COPY')
    await assert.rejects(pair.source.setState('RUNNING'), { code: 'ERR_VFIO_BUSY' })
    await first
    assert.equal(await pair.source.state(), 'STOP_COPY')
  })
})
