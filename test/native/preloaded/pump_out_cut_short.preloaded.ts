// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import type { SessionCalls } from '#lib/backend/seam.js'
import { kernel } from './kernel.js'
import {
  closeFile,
  fdCount,
  file,
  openFile,
  pipe,
  pipeBytes,
  pipes,
  pumped,
  sockets,
  takeFrom,
} from './pump_ends.js'
import {
  type Pumping,
  expected,
  facts,
  headers,
  firstRecord,
  mebibyte,
  saving,
  unlimited,
} from './pump_sessions.js'
import { E, PRE_COPY, STOP_COPY, drain, enter, open } from './scenario.js'

describe('a pump out of a saving fd', () => {
  pumped('is cancelled while it waits for its time', async () => {
    const session = await saving(mebibyte)
    const pump = session.pumpTo(openFile('/dev/null', 'w'), unlimited, 1, 0)
    while (pump.bytesWritten() === 0) await turn()
    pump.cancel()
    assert.deepEqual((await pump.done).result, -E.ECANCELED)
  })

  pumped('is cancelled while it waits for the device', async () => {
    const device = await open()
    kernel.set(0, { autosave: false })
    const session = (await enter(device, STOP_COPY)) as Pumping
    const fds = fdCount()
    const pump = session.pumpTo(openFile('/dev/null', 'w'), unlimited, 0, 0)
    kernel.waitFor('poll saving')
    pump.cancel()
    const answer = await pump.done
    assert.deepEqual(facts(answer), [-E.ECANCELED, 'read', firstRecord])
    assert.equal(answer.rest, undefined)
    assert.equal(fdCount(), fds + 1)
    kernel.tell('complete 0')
    assert.equal((await session.read(1000, 0)).result, 1000)
  })

  pumped('is cancelled while it waits for an image that was announced', async () => {
    const session = await saving(1000, PRE_COPY)
    await drain(session)
    const pump = session.pumpTo(openFile('/dev/null', 'w'), unlimited, 0, 3_600_000)
    kernel.waitFor('poll saving')
    pump.cancel()
    assert.deepEqual(facts(await pump.done), [-E.ECANCELED, 'read', 0])
  })

  for (const [kind, flags, isClosed] of pipes) {
    pumped(`is cancelled while a pipe that ${kind} takes no more, and gives back the rest`, async () => {
      const session = await saving(300_000)
      const { reader, writer } = pipe(flags)
      if (isClosed) kernel.rule('*', 'reopen', 'fail', E.EACCES)
      const pump = session.pumpTo(writer, unlimited, 0, 0)
      while (pump.bytesWritten() < pipeBytes) await turn()
      pump.cancel()
      const { result, call, bytes, rest } = await pump.done
      assert.deepEqual([result, call, bytes], [-E.ECANCELED, 'write', pipeBytes])
      const whole = Buffer.concat([takeFrom(reader), rest ?? Buffer.of(), await drain(session)])
      assert.ok(whole.equals(await expected(300_000)))
    })
  }

  pumped('that was cancelled writes what it has read where that is taken', async () => {
    const session = await saving(3 * mebibyte)
    kernel.rule(0, 'read', 'hold', 0, 2)
    const pump = session.pumpTo(openFile(file('state'), 'w'), unlimited, 0, 0)
    kernel.waitFor('held read')
    pump.cancel()
    kernel.release('read')
    const { result, bytes, rest } = await pump.done
    assert.deepEqual([result, bytes, rest], [-E.ECANCELED, 2 * mebibyte, undefined])
    assert.equal(readFileSync(file('state')).length, 2 * mebibyte)
  })

  pumped('that was cancelled before its turn does nothing', async () => {
    const session = await saving(1000)
    kernel.hold(0, 'read')
    const reading = session.read(10, 0)
    kernel.waitFor('held read')
    const pump = session.pumpTo(openFile(file('state'), 'w'), unlimited, 0, 0)
    pump.cancel()
    kernel.release('read')
    await reading
    assert.deepEqual(facts(await pump.done), [-E.ECANCELED, 'read', 0])
    assert.deepEqual(kernel.lines('read 0').length, 1)
  })

  pumped('tells of a pipe without a reader as EPIPE, and the process lives', async () => {
    const session = await saving(1000)
    const { reader, writer } = pipe()
    closeFile(reader)
    const { result, call, rest } = await session.pumpTo(writer, unlimited, 0, 0).done
    assert.deepEqual([result, call, rest?.length], [-E.EPIPE, 'write', headers + 1000])
  })

  pumped('tells of a socket whose other end is gone as EPIPE', async () => {
    const session = await saving(4 * mebibyte)
    const { far, fd } = await sockets()
    const pump = session.pumpTo(fd, unlimited, 0, 0)
    while (pump.bytesWritten() === 0) await turn()
    far.destroy()
    const { result, call, bytes, rest } = await pump.done
    assert.deepEqual([result, call], [-E.EPIPE, 'write'])
    assert.equal(pump.bytesRead(), bytes + (rest?.length ?? 0))
  })

  pumped('gives back what a full disk has not taken', async () => {
    const session = await saving(1000)
    const { result, call, bytes, rest } = await session.pumpTo(openFile('/dev/full', 'w'), unlimited, 0, 0)
      .done
    assert.deepEqual([result, call, bytes], [-E.ENOSPC, 'write', 0])
    const whole = Buffer.concat([rest ?? Buffer.of(), await drain(session)])
    assert.ok(whole.equals(await expected(1000)))
  })

  pumped('reads nothing where the fd is none, or cannot be written', async () => {
    const session = await saving(1000)
    const fds = fdCount()
    for (const fd of [openFile('/dev/null', 'r'), 99_999]) {
      assert.deepEqual(facts(await session.pumpTo(fd, unlimited, 0, 0).done), [-E.EBADF, 'dup', 0])
    }
    kernel.rule('*', 'eventfd', 'fail', E.EMFILE)
    const answer = await session.pumpTo(openFile('/dev/null', 'w'), unlimited, 0, 0).done
    assert.deepEqual(facts(answer), [-E.EMFILE, 'eventfd', 0])
    assert.deepEqual(kernel.lines('read 0'), [])
    assert.equal(fdCount(), fds + 2)
  })

  pumped('passes the errno of a read on, and the bytes before it', async () => {
    const session = await saving(1000)
    kernel.rule(0, 'read', 'fail', E.EIO, 2)
    const answer = await session.pumpTo(openFile(file('state'), 'w'), unlimited, 0, 0).done
    assert.deepEqual(facts(answer), [-E.EIO, 'read', headers + 1000])
    assert.equal(readFileSync(file('state')).length, headers + 1000)
  })

  for (const [what, end] of [
    ['session', (session: SessionCalls) => session.close()],
    ['device', async (_: SessionCalls, device: { close(): Promise<void> }) => await device.close()],
  ] as const) {
    pumped(`ends with its ${what} while it waits for the device`, async () => {
      const device = await open()
      kernel.set(0, { autosave: false })
      const session = (await enter(device, STOP_COPY)) as Pumping
      const { done } = session.pumpTo(openFile('/dev/null', 'w'), unlimited, 0, 0)
      kernel.waitFor('poll saving')
      await end(session, device)
      assert.deepEqual(facts(await done), [-E.ECANCELED, 'read', firstRecord])
    })

    pumped(`ends with its ${what} while it waits for a pipe`, async () => {
      const device = await open()
      kernel.set(0, { image: 300_000 })
      const session = (await enter(device, STOP_COPY)) as Pumping
      const pump = session.pumpTo(pipe().writer, unlimited, 0, 0)
      while (pump.bytesWritten() < pipeBytes) await turn()
      await end(session, device)
      assert.deepEqual(facts(await pump.done), [-E.ECANCELED, 'write', pipeBytes])
    })
  }

  pumped('of a session that is closed is none', async () => {
    const session = await saving(1000)
    const fds = fdCount()
    await session.close()
    const pump = session.pumpTo(openFile('/dev/null', 'w'), unlimited, 0, 0)
    assert.equal((await pump.done).result, -E.EBADF)
    pump.cancel()
    assert.deepEqual([pump.bytesRead(), pump.bytesWritten()], [0, 0])
    assert.ok(fdCount() <= fds)
  })
})
