// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import type { PumpAnswer } from '#lib/backend/seam.js'
import { kernel } from './kernel.js'
import { file, openFile, pipe, pipeBytes, pipes, pumped, takeFrom } from './pump_ends.js'
import { type Pumping, facts, firstRecord, mebibyte, saving } from './pump_sessions.js'
import { E, STOP_COPY, enter, open } from './scenario.js'
import { pattern } from './taken.js'

describe('what was read before a pump', () => {
  pumped('is written beside reads that wait', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = (await enter(device, STOP_COPY)) as Pumping
    const { data } = await session.read(mebibyte, 0)
    const waiting = session.read(mebibyte, 0)
    kernel.waitFor('poll saving')
    const put = session.putTo(openFile(file('state'), 'w'), data)
    assert.deepEqual(facts(await put.done), [firstRecord, 'write', firstRecord])
    assert.ok(readFileSync(file('state')).equals(data))
    kernel.tell('complete 0')
    assert.ok((await waiting).result > 0)
  })

  for (const [kind, flags, isClosed] of pipes) {
    pumped(`is cancelled while a pipe that ${kind} takes no more`, async () => {
      const session = await saving(1000)
      const { reader, writer } = pipe(flags)
      if (isClosed) kernel.rule('*', 'reopen', 'fail', E.EACCES)
      const data = pattern(300_000)
      const put = session.putTo(writer, data)
      while (put.bytesWritten() < pipeBytes) await turn()
      put.cancel()
      const answer = await put.done
      assert.deepEqual(facts(answer), [-E.ECANCELED, 'write', pipeBytes])
      assert.equal(answer.rest, undefined)
      assert.ok(takeFrom(reader).equals(data.subarray(0, pipeBytes)))
    })
  }

  pumped('is written as it was when it was given', async () => {
    const session = await saving(1000)
    const data = pattern(300_000)
    const { reader, writer } = pipe()
    const put = session.putTo(writer, data)
    data.fill(0)
    const chunks: Buffer[] = []
    while (put.bytesWritten() < data.length) {
      await turn()
      chunks.push(takeFrom(reader))
    }
    await put.done
    assert.ok(Buffer.concat([...chunks, takeFrom(reader)]).equals(pattern(300_000)))
  })

  pumped('is not, where the disk is full, the fd is none, or the session is over', async () => {
    const session = await saving(1000)
    const put = (fd: number): Promise<PumpAnswer> => session.putTo(fd, pattern(10)).done
    assert.deepEqual(facts(await put(openFile('/dev/full', 'w'))), [-E.ENOSPC, 'write', 0])
    assert.deepEqual(facts(await put(99_999)), [-E.EBADF, 'dup', 0])
    const { writer } = pipe()
    const waiting = session.putTo(writer, pattern(300_000))
    while (waiting.bytesWritten() < pipeBytes) await turn()
    await session.close()
    assert.deepEqual(facts(await waiting.done), [-E.ECANCELED, 'write', pipeBytes])
    assert.equal((await put(openFile('/dev/null', 'w'))).result, -E.ECANCELED)
  })
})
