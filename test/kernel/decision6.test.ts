// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { createMtty } from './mtty.ts'
import { streamOf } from './mtty_stream.ts'
import { openMtty } from './opened.ts'
import { openSeam, type Seam } from './seam.ts'

/*
 * mtty answers 0 at the end of what it has in PRE_COPY, and adds the rest of its state when it goes to STOP_COPY. A 0
 * that was read before may be looked at after: taken for the end, it loses the rest.
 */
const rounds = 1000

/** Another value in each round, so that a stale state would be seen. */
const scratchOf = (round: number): number => round % 251

/** Reads without a pause until a 0 that was read after the arc that `stopped` resolves with. */
async function readOn(
  session: SessionCalls,
  stopped: () => number,
): Promise<{ bytes: Buffer; early: number }> {
  const parts: Uint8Array[] = []
  for (let early = 0; ;) {
    const { result, data, arc } = await session.read(4096, 0)
    assert.ok(result >= 0, `read answered ${result}`)
    if (result > 0) parts.push(data)
    else if (arc >= stopped()) return { bytes: Buffer.concat(parts), early }
    else early++
  }
}

async function oneRound(seam: Seam, round: number): Promise<number> {
  await seam.calls.regionWrite(7, Uint8Array.of(scratchOf(round)), 1)
  const session = await seam.begin('PRE_COPY')
  let stopArc = Infinity
  const reading = readOn(session, () => stopArc)
  const answer = await seam.set('STOP_COPY')
  assert.equal(answer.result, 0)
  stopArc = answer.arc
  const { bytes, early } = await reading
  assert.deepEqual(bytes, streamOf('mtty-1', [{ scratch: scratchOf(round) }]), `round ${round}`)
  await session.close()
  assert.equal((await seam.set('RUNNING')).result, 0)
  return early
}

describe('a reader that never pauses', function () {
  this.timeout(180_000)

  it(`loses no byte in ${rounds} rounds of PRE_COPY and STOP_COPY by the numbers of the arcs`, async () => {
    await using mtty = await createMtty()
    await using seam = await openSeam(mtty.uuid)
    let early = 0
    for (let round = 0; round < rounds; round++) early += await oneRound(seam, round)
    console.log(`      ${early} reads answered 0 before the end`)
    assert.ok(early > 0, 'no read answered 0 early: the reader did not read on')
  })

  it(`loses no byte in ${rounds} rounds of PRE_COPY and STOP_COPY through the saving stream`, async () => {
    await using opened = await openMtty()
    const { device } = opened
    for (let round = 0; round < rounds; round++) {
      await device.regions[0]?.write(7, Uint8Array.of(scratchOf(round)))
      await device.setState('PRE_COPY')
      const reading = device.savingStream.toArray()
      await device.setState('STOP_COPY')
      const bytes = Buffer.concat((await reading) as Buffer[])
      assert.deepEqual(bytes, streamOf('mtty-1', [{ scratch: scratchOf(round) }]), `round ${round}`)
      await device.setState('RUNNING')
    }
  })
})
