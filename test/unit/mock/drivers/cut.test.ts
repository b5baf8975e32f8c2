// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import type { FlavourName } from '#lib/mock/index.js'
import { Opened } from './opened.ts'

/** Byte by byte, until there is nothing. */
async function readSingly(session: SessionCalls): Promise<number> {
  for (let count = 0; ; count++) {
    const { result } = await session.read(1, 0)
    if (result <= 0) return count
  }
}

describe('a stream that is cut', () => {
  for (const flavour of ['mlx5', 'virtio', 'xe', 'pds'] satisfies FlavourName[]) {
    it(`${flavour}: ends there, however much was left out and however it is read`, async () => {
      const device = new Opened({ flavour, ...(flavour !== 'pds' && { size: '1MiB' }) })
      device.mock.inject({ on: 'STREAM', cut: 10 })
      assert.equal(await readSingly(await device.session('STOP_COPY')), 10)
    })
  }

  it('mlx5: frees the chunks that it leaves out, so that the rest of them are saved', async () => {
    const device = new Opened({ size: '1MiB', chunkSize: 65_536 })
    device.mock.inject({ on: 'STREAM', cut: 10 })
    const session = await device.session('STOP_COPY')
    let ended = false
    for (let tries = 0; !ended && tries < 200; tries++) {
      ended = (await session.read(4096, 0)).result === 0
      await device.clock.sleep(1)
    }
    assert.ok(ended)
  })
})
