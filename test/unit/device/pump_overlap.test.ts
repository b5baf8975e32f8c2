// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import type { Pump } from '#lib/backend/seam.js'
import { scripted } from './scripted_opening.js'
import { ScriptedRun, ScriptedRuns, settle } from './scripted_runs.js'

const [ENOMSG, ENOSPC] = [-42, -28]

let fd: number
beforeEach(() => (fd = openSync('/dev/null', 'w')))
afterEach(() => closeSync(fd))

/** A device in PRE_COPY with a copy loop. */
async function saving() {
  const runs = new ScriptedRuns()
  return { runs, ...(await scripted('PRE_COPY', runs.give)) }
}

/** Reads `text` ahead, and nothing behind it. */
async function readAhead({ script, device, session }: Awaited<ReturnType<typeof saving>>, text: string) {
  const chunks = device.savingStream.chunks()
  const first = chunks.next()
  ;(await session.nextRead()).answer(1, script.arc, '-')
  await first
  ;(await session.nextRead()).answer(text.length, script.arc, text)
  ;(await session.nextRead()).answer(ENOMSG, script.arc)
  await settle()
  await chunks.return('idle')
}

describe('a pump of a saving stream', () => {
  it('is refused until the one before it has settled', async () => {
    const { runs, script, device } = await saving()
    const first = device.savingStream.pump(fd, { until: 'idle' })
    const run = await runs.next()
    const second = device.savingStream.idle().then(() => device.savingStream.pump(fd, { until: 'idle' }))
    run.answer({ result: ENOMSG })
    await first
    const outcome = await second.then(
      () => 'taken',
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    )
    assert.ok(['taken', 'ERR_VFIO_BUSY'].includes(String(outcome)))
    const third = device.savingStream.pump(fd)
    await device.precopyInfo()
    ;(await runs.next()).answer({ result: ENOMSG, bytes: 5 })
    await device.setState('STOP_COPY')
    ;(await runs.next()).answer({ bytes: 1, arc: script.arc })
    assert.deepEqual(await third, { bytes: 6, pause: 'end' })
  })

  it('is not idle, and holds bytes, while the fd has not taken what was read ahead', async () => {
    const all = await saving()
    const { device, session } = all
    await readAhead(all, 'def')
    const held = new ScriptedRun([fd])
    Object.assign(session, { putTo: (): Pump => held })
    const pumping = device.savingStream.pump(fd, { until: 'idle' })
    const outcome = pumping.catch((error: unknown) => (error as NodeJS.ErrnoException).code)
    await settle()
    let isIdle = false
    const idle = device.savingStream.idle().then(() => (isIdle = true))
    await settle()
    assert.deepEqual([isIdle, device.savingStream.bufferedBytes], [false, 3])
    held.answer({ result: ENOSPC, call: 'write', bytes: 1 })
    assert.equal(await outcome, 'ENOSPC')
    assert.equal(device.savingStream.bufferedBytes, 2)
    const chunks = device.savingStream.chunks()
    assert.equal(String((await chunks.next()).value), 'ef')
    await chunks.return('idle')
    await device.setState('RUNNING')
    await assert.rejects(idle, { code: 'ERR_VFIO_SESSION_ENDED' })
  })

  it('gives back what was read ahead where it cannot begin to write it', async () => {
    const all = await saving()
    const { device, session } = all
    await readAhead(all, 'def')
    const why = new Error('out of memory')
    const putTo = (): Pump => {
      throw why
    }
    Object.assign(session, { putTo })
    await assert.rejects(device.savingStream.pump(fd, { until: 'idle' }), why)
    assert.equal(device.savingStream.bufferedBytes, 3)
  })

  it('releases the chunk that its limit ends with', async () => {
    const all = await saving()
    const { device, session } = all
    await readAhead(all, 'def')
    const before = session.released.length
    assert.deepEqual(await device.savingStream.pump(fd, { maxBytes: 3 }), { bytes: 3, pause: 'limit' })
    assert.deepEqual(session.released.slice(before), ['def'])
  })
})
