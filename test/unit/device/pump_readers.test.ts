// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { VfioError } from '#lib/errors.js'
import { scripted } from './scripted_opening.js'
import { ScriptedRuns, settle } from './scripted_runs.js'
import { temporaryFiles } from './temporary_files.js'

const ENOMSG = -42

describe('pump() beside others', () => {
  const { openFile } = temporaryFiles()

  for (const give of [undefined, new ScriptedRuns().give]) {
    const whose = give ? 'a backend with a copy loop' : 'a backend without one'
    it(`refuses a second reader, over ${whose}`, async () => {
      const { device } = await scripted('STOP_COPY', give)
      const { savingStream } = device
      const fd = await openFile('/dev/null', 'w')
      const pumping = savingStream.pump(fd)
      await assert.rejects(savingStream.pump(fd), { code: 'ERR_VFIO_BUSY' })
      await assert.rejects(savingStream.copyTo(fd), { code: 'ERR_VFIO_BUSY' })
      await assert.rejects(savingStream.chunks().next(), { code: 'ERR_VFIO_BUSY' })
      savingStream.destroy()
      await assert.rejects(pumping, VfioError)
    })

    it(`is refused beside another reader, over ${whose}`, async () => {
      const { device } = await scripted('STOP_COPY', give)
      const { savingStream } = device
      const fd = await openFile('/dev/null', 'w')
      const chunks = savingStream.chunks()
      const first = chunks.next()
      await assert.rejects(savingStream.pump(fd), { code: 'ERR_VFIO_BUSY' })
      savingStream.destroy()
      await assert.rejects(first, VfioError)
      const { device: other } = await scripted('STOP_COPY', give)
      other.savingStream.on('data', () => undefined)
      await assert.rejects(other.savingStream.pump(fd), { code: 'ERR_VFIO_BUSY' })
    })
  }

  it('has who reads the Readable meanwhile wait until it is over', async () => {
    const runs = new ScriptedRuns()
    const { script, device, session } = await scripted('PRE_COPY', runs.give)
    const { savingStream } = device
    const pumping = savingStream.pump(await openFile('/dev/null', 'w'), { until: 'idle' })
    const run = await runs.next()
    const parts: string[] = []
    savingStream.on('data', (chunk: Buffer) => parts.push(String(chunk)))
    await settle()
    assert.equal(session.reads.length, 0)
    run.answer({ result: ENOMSG, arc: script.arc })
    await pumping
    await device.setState('STOP_COPY')
    ;(await session.nextRead()).answer(3, script.arc, 'abc')
    ;(await session.nextRead()).answer(0, script.arc)
    await settle()
    assert.deepEqual(parts, ['abc'])
  })
})
