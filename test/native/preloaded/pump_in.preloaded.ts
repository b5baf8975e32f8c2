// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readSync, writeFileSync } from 'node:fs'
import { constants as constantsOfOs } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { kernel } from './kernel.js'
import { fifo, file, openFile, pumped, sockets } from './pump_ends.js'
import { facts, mebibyte, resuming, unlimited } from './pump_sessions.js'
import { E } from './scenario.js'
import { hash, pattern, taken } from './taken.js'

describe('a pump into a resuming fd', () => {
  pumped('brings a file in byte for byte, from where its fd stands', async () => {
    const session = await resuming()
    const state = pattern(2 * mebibyte + 1000)
    writeFileSync(file('state'), state)
    const fd = openFile(file('state'), 'r')
    readSync(fd, Buffer.alloc(1000))
    const { done } = session.pumpFrom(fd, unlimited, 0)
    assert.deepEqual(facts(await done), [0, 'read', 2 * mebibyte])
    assert.deepEqual(taken(), [2 * mebibyte, hash(state.subarray(1000))])
    assert.deepEqual(kernel.lines('write'), Array(2).fill(`write 0 = ${mebibyte}`))
  })

  pumped('waits for a socket that has no more yet, until its end', async () => {
    const session = await resuming()
    const { far, fd } = await sockets()
    const pump = session.pumpFrom(fd, unlimited, 0)
    far.write(pattern(1000))
    while (pump.bytesWritten() < 1000) await turn()
    far.end(pattern(500))
    assert.deepEqual(facts(await pump.done), [0, 'read', 1500])
    assert.deepEqual(taken(), [1500, hash(Buffer.concat([pattern(1000), pattern(500)]))])
  })

  pumped('is cancelled while a pipe that blocks has no more yet, and another goes on', async () => {
    const session = await resuming()
    const path = fifo()
    const both = openFile(path, 'r+')
    const reader = openFile(path, 'r')
    writeFileSync(both, pattern(10))
    const pump = session.pumpFrom(reader, unlimited, 0)
    while (pump.bytesWritten() < 10) await turn()
    pump.cancel()
    assert.deepEqual(facts(await pump.done), [-E.ECANCELED, 'read', 10])
    writeFileSync(both, pattern(20))
    assert.deepEqual((await session.pumpFrom(reader, 20, 0).done).bytes, 20)
    assert.deepEqual(taken(), [30, hash(Buffer.concat([pattern(10), pattern(20)]))])
  })

  pumped('that was cancelled during a write has written all that it read', async () => {
    const session = await resuming()
    writeFileSync(file('state'), pattern(2 * mebibyte))
    kernel.rule(0, 'write', 'cut', 10)
    kernel.hold(0, 'write')
    const pump = session.pumpFrom(openFile(file('state'), 'r'), unlimited, 0)
    kernel.waitFor('held write')
    pump.cancel()
    kernel.release('write')
    assert.deepEqual(facts(await pump.done), [-E.ECANCELED, 'read', mebibyte])
    assert.deepEqual(taken(), [mebibyte, hash(pattern(mebibyte))])
  })

  pumped('reads no more than it may', async () => {
    const session = await resuming()
    writeFileSync(file('state'), pattern(1000))
    const fd = openFile(file('state'), 'r')
    const { result, bytes } = await session.pumpFrom(fd, 600, 0).done
    assert.ok(result > 0)
    assert.equal(bytes, 600)
    assert.equal(readSync(fd, Buffer.alloc(1000)), 400)
  })

  pumped('that failed is the last that reaches the kernel', async () => {
    const session = await resuming()
    writeFileSync(file('state'), pattern(3 * mebibyte))
    kernel.rule(0, 'write', 'fail', E.EINVAL, 2)
    const answer = await session.pumpFrom(openFile(file('state'), 'r'), unlimited, 0).done
    assert.deepEqual(facts(answer), [-E.EINVAL, 'write', mebibyte])
    assert.equal(answer.rest, undefined)
    assert.equal(await session.write(pattern(10)), -E.ENODEV)
    assert.equal(kernel.lines('write').length, 2)
  })

  pumped('tells that the fd cannot be read, and the session can be written on', async () => {
    const session = await resuming()
    const directoryFd = openFile(file('.'), 'r')
    assert.deepEqual(facts(await session.pumpFrom(directoryFd, unlimited, 0).done), [
      -constantsOfOs.errno.EISDIR,
      'read',
      0,
    ])
    const writeOnly = openFile('/dev/null', 'w')
    assert.deepEqual(facts(await session.pumpFrom(writeOnly, unlimited, 0).done), [-E.EBADF, 'dup', 0])
    assert.equal(await session.write(pattern(10)), 10)
  })

  pumped('ends with its session while it waits for a pipe', async () => {
    const session = await resuming()
    const fd = openFile(fifo(), 'r+')
    const { done } = session.pumpFrom(fd, unlimited, 0)
    await session.close()
    assert.equal((await done).result, -E.ECANCELED)
  })
})
