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

/** Reads without a pause until a 0 that was read after the arc that `stopped` answers; tells of each read it makes. */
async function readOn(
  session: SessionCalls,
  stopped: () => number,
  onRead: (answers: number) => void,
): Promise<{ bytes: Buffer; early: number }> {
  const parts: Uint8Array[] = []
  let early = 0
  for (;;) {
    onRead(parts.length + early)
    const { result, data, arc } = await session.read(4096, 0)
    assert.ok(result >= 0, `read answered ${result}`)
    if (result > 0) parts.push(data)
    else if (arc >= stopped()) return { bytes: Buffer.concat(parts), early }
    else early++
  }
}

/** How many answers the reader has when the device is told to stop; its next read is under way then. */
const answersAtStop = (round: number): number => round % 4

async function oneRound(seam: Seam, round: number): Promise<number> {
  await seam.calls.regionWrite(7, Uint8Array.of(scratchOf(round)), 1)
  const session = await seam.begin('PRE_COPY')
  let stopArc = Infinity
  let reading: ReturnType<typeof readOn> | undefined
  await new Promise<void>(resolve => {
    const onRead = (answers: number): void => {
      if (answers === answersAtStop(round)) resolve()
    }
    reading = readOn(session, () => stopArc, onRead)
  })
  const answer = await seam.set('STOP_COPY')
  assert.equal(answer.result, 0)
  stopArc = answer.arc
  const { bytes, early } = (await reading) ?? assert.fail()
  assert.deepEqual(bytes, streamOf('mtty-1', [{ scratch: scratchOf(round) }]), `round ${round}`)
  await session.close()
  assert.equal((await seam.set('RUNNING')).result, 0)
  return early
}

describe('a reader that never pauses', () => {
  it(`loses no byte in ${rounds} rounds of PRE_COPY and STOP_COPY by the numbers of the arcs`, async () => {
    await using mtty = await createMtty()
    await using seam = await openSeam(mtty.uuid)
    let early = 0
    for (let round = 0; round < rounds; round++) early += await oneRound(seam, round)
    console.log(`      ${early} reads answered 0 before the end`)
    // A quarter of the rounds saw one 0 before the stop, another quarter two.
    assert.ok(early >= (3 * rounds) / 4, `${early} early zeros`)
  })

  it(`loses no byte in ${rounds} rounds of PRE_COPY and STOP_COPY through the saving stream`, async () => {
    await using opened = await openMtty()
    const { device } = opened
    for (let round = 0; round < rounds; round++) {
      await device.regions[0]?.write(7, Uint8Array.of(scratchOf(round)))
      await device.setState('PRE_COPY')
      const reading = device.savingStream.toArray()
      if (round % 2 === 1) await device.savingStream.idle()
      await device.setState('STOP_COPY')
      const bytes = Buffer.concat((await reading) as Buffer[])
      assert.deepEqual(bytes, streamOf('mtty-1', [{ scratch: scratchOf(round) }]), `round ${round}`)
      await device.setState('RUNNING')
    }
  })
})
