// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import { fdCount, file, openFile, pipe, pipes, pumped, sockets, takeFrom } from './pump_ends.js'
import {
  type Pumping,
  expected,
  facts,
  header,
  headers,
  mebibyte,
  saving,
  unlimited,
} from './pump_sessions.js'
import { E, PRE_COPY, PRE_COPY_P2P, STOP_COPY, drain, enter, open } from './scenario.js'

describe('a pump out of a saving fd', () => {
  pumped('brings the stream into a file byte for byte', async () => {
    const session = await saving(3 * mebibyte)
    const { done } = session.pumpTo(openFile(file('state'), 'w'), unlimited, 0, 0)
    const all = await expected(3 * mebibyte)
    assert.deepEqual(facts(await done), [0, 'read', all.length])
    assert.ok(readFileSync(file('state')).equals(all))
  })

  pumped('asks for a mebibyte at a time, and for nothing behind the end', async () => {
    const session = await saving(2 * mebibyte)
    await session.pumpTo(openFile('/dev/null', 'w'), unlimited, 0, 0).done
    const counts = [mebibyte, mebibyte, headers, 0]
    assert.deepEqual(
      kernel.lines('read 0'),
      counts.map(bytes => `read 0 = ${bytes}`),
    )
  })

  for (const [kind, flags, isClosed] of pipes) {
    pumped(`goes through a pipe that ${kind} at the pace of its reader`, async () => {
      const session = await saving(300_000)
      const { reader, writer } = pipe(flags)
      if (isClosed) kernel.rule('*', 'reopen', 'fail', E.EACCES)
      const pump = session.pumpTo(writer, unlimited, 0, 0)
      const all = await expected(300_000)
      const chunks: Buffer[] = []
      while (pump.bytesWritten() < all.length) {
        await turn()
        chunks.push(takeFrom(reader))
      }
      chunks.push(takeFrom(reader))
      assert.deepEqual(facts(await pump.done), [0, 'read', all.length])
      assert.ok(Buffer.concat(chunks).equals(all))
    })
  }

  pumped('waits for a socket that takes no more', async () => {
    const session = await saving(4 * mebibyte)
    const { far, fd } = await sockets()
    const { done } = session.pumpTo(fd, unlimited, 0, 0)
    const chunks: Buffer[] = []
    const all = await expected(4 * mebibyte)
    let count = 0
    for await (const chunk of far as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      if ((count += chunk.length) === all.length) break
    }
    assert.deepEqual(facts(await done), [0, 'read', all.length])
    assert.ok(Buffer.concat(chunks).equals(all))
  })

  pumped('goes on across the short reads of a driver', async () => {
    const session = await saving(1000)
    for (let nth = 1; nth <= 5; nth++) kernel.rule(0, 'read', 'cut', 7, nth)
    await session.pumpTo(openFile(file('state'), 'w'), unlimited, 0, 0).done
    assert.ok(readFileSync(file('state')).equals(await expected(1000)))
  })

  pumped('stops where the device has nothing now, and another goes on there', async () => {
    const session = await saving(1000, PRE_COPY)
    const fd = openFile(file('state'), 'w')
    const first = await session.pumpTo(fd, unlimited, 0, 0).done
    assert.deepEqual(facts(first), [-E.ENOMSG, 'read', headers + 1000])
    kernel.set(0, { dirty: 500 })
    await session.precopyInfo()
    const second = await session.pumpTo(fd, unlimited, 0, 10_000).done
    assert.deepEqual(facts(second), [-E.ENOMSG, 'read', header + 500])
    assert.equal(readFileSync(file('state')).length, headers + 1000 + header + 500)
  })

  pumped('waits for an image that was announced, and not behind it', async () => {
    const session = await saving(1000, PRE_COPY)
    const fd = openFile('/dev/null', 'w')
    await session.pumpTo(fd, unlimited, 0, 0).done
    kernel.set(0, { autosave: false, dirty: 1000 })
    await session.precopyInfo()
    const polls = kernel.lines('poll').length
    const { done } = session.pumpTo(fd, unlimited, 0, 3_600_000)
    kernel.waitFor('poll saving', polls + 1)
    kernel.tell('complete 0')
    assert.deepEqual(facts(await done), [-E.ENOMSG, 'read', header + 1000])
    assert.equal(kernel.lines('poll').length, polls + 1)
  })

  pumped('carries the number of the arc before its last read', async () => {
    const device = await open()
    const session = (await enter(device, PRE_COPY)) as Pumping
    const fd = openFile('/dev/null', 'w')
    kernel.hold(0, 'read')
    const early = session.pumpTo(fd, 1, 0, 0)
    kernel.waitFor('held read')
    const { arc } = await device.setStates([PRE_COPY_P2P, STOP_COPY])
    kernel.release('read')
    assert.equal((await early.done).arc, 1)
    const late = await session.pumpTo(fd, unlimited, 0, 0).done
    assert.deepEqual([late.result, late.arc], [0, arc])
  })

  pumped('reads no more than it may', async () => {
    const session = await saving(3 * mebibyte)
    const fd = openFile(file('state'), 'w')
    const most = mebibyte + 1000
    const { result, bytes } = await session.pumpTo(fd, most, 0, 0).done
    assert.ok(result > 0)
    assert.equal(bytes, most)
    const rest = await drain(session)
    const all = await expected(3 * mebibyte)
    assert.ok(Buffer.concat([readFileSync(file('state')), rest]).equals(all))
  })

  pumped('keeps its rate by pieces of a tenth of a second', async () => {
    const session = await saving(mebibyte)
    await session.pumpTo(openFile('/dev/null', 'w'), 200_001, 1_000_000, 0).done
    const counts = [100_000, 100_000, 1]
    assert.deepEqual(
      kernel.lines('read 0'),
      counts.map(bytes => `read 0 = ${bytes}`),
    )
  })

  pumped('tells how far it is at any time', async () => {
    const session = await saving(2 * mebibyte)
    kernel.rule(0, 'read', 'hold', 0, 3)
    const pump = session.pumpTo(openFile('/dev/null', 'w'), unlimited, 0, 0)
    kernel.waitFor('held read')
    const sofar = 2 * mebibyte
    assert.deepEqual([pump.bytesRead(), pump.bytesWritten()], [sofar, sofar])
    assert.equal(addon.census().farEnds, 1)
    kernel.release('read')
    const { bytes } = await pump.done
    assert.deepEqual([pump.bytesRead(), pump.bytesWritten()], [bytes, bytes])
  })

  pumped('writes to the file that it was given, whatever becomes of its number', async () => {
    const session = await saving(1000)
    kernel.hold(0, 'read')
    const fd = openSync(file('state'), 'w')
    const { done } = session.pumpTo(fd, unlimited, 0, 0)
    kernel.waitFor('held read')
    closeSync(fd)
    assert.equal(openFile(file('other'), 'w'), fd)
    kernel.release('read')
    await done
    assert.equal(readFileSync(file('other')).length, 0)
    assert.ok(readFileSync(file('state')).equals(await expected(1000)))
  })

  pumped('leaves no fd behind, and its buffer to the next', async () => {
    const session = await saving(1000, PRE_COPY)
    const fd = openFile('/dev/null', 'w')
    const fds = fdCount()
    for (let i = 0; i < 20; i++) await session.pumpTo(fd, unlimited, 0, 0).done
    assert.equal(fdCount(), fds)
  })
})
