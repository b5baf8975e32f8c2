// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { constants as constantsOfOs, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { DeviceCalls, PumpAnswer, SessionCalls } from '#lib/backend/seam.js'
import { monotonicClock as clock } from '#lib/clock.js'
import type { Device } from '#lib/device/device.js'
import { openDevice } from '#lib/device/open.js'
import { Interrupted } from '#lib/cli/interruption.js'
import type { Io } from '#lib/cli/context.js'
import { run } from '#lib/cli/run.js'
import { Captured, capturedIo } from '../../unit/cli/streams.js'
import { addon } from './addon.js'
import { kernel } from './kernel.js'
import { E, PRE_COPY, PRE_COPY_P2P, RESUMING, STOP_COPY, drain, enter, open, scenario } from './scenario.js'

const mebibyte = 1 << 20
const unlimited = Number.MAX_SAFE_INTEGER
/** What a pipe holds, unless told. */
const pipeBytes = 65536
const firstRecord = 24
const header = 16
const headers = firstRecord + header

type Pumping = SessionCalls & Required<Pick<SessionCalls, 'pumpTo' | 'pumpFrom' | 'putTo'>>

let directory: string
const cleanups: (() => void)[] = []

function openFile(path: string, flags: string | number): number {
  const fd = openSync(path, flags)
  cleanups.push(() => closeSync(fd))
  return fd
}

const file = (name: string): string => join(directory, name)

/** Both ends of a pipe; those who use them wait, unless told. */
function pipe(flags = 0): { reader: number; writer: number } {
  execFileSync('mkfifo', [file('pipe')])
  const reader = openFile(file('pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openFile(file('pipe'), constants.O_WRONLY | flags)
  rmSync(file('pipe'))
  return { reader, writer }
}

/** Ways to have a pipe: its flags, and whether it is not ours to open anew. */
const pipes = [
  ['blocks', 0, false],
  ['blocks and is not ours to open', 0, true],
  ['does not block', constants.O_NONBLOCK, false],
] as const

/** Both ends of a pair of sockets; the fd does not block, and Node does not read from it. */
async function sockets(): Promise<{ far: Socket; fd: number }> {
  const server: Server = createServer({ pauseOnConnect: true }).listen(file('socket'))
  await once(server, 'listening')
  const far = connect(file('socket'))
  const [near] = (await once(server, 'connection')) as [Socket]
  cleanups.push(() => [near.destroy(), far.destroy(), server.close()])
  const { fd } = (near as unknown as { _handle: { fd: number } })._handle
  return { far, fd }
}

async function saving(image: number, ...states: number[]): Promise<Pumping> {
  const device = await open()
  kernel.set(0, { image })
  return (await enter(device, ...(states.length > 0 ? states : [STOP_COPY]))) as Pumping
}

async function resuming(): Promise<Pumping> {
  return (await enter(await open(), RESUMING)) as Pumping
}

/** What a device with the same image gives to plain reads. */
async function expected(image: number): Promise<Buffer> {
  const device = await open(1)
  kernel.set(1, { image })
  const session = await enter(device, STOP_COPY)
  const all = await drain(session)
  await session.close()
  return all
}

/** All that is in the pipe now. */
function takeFrom(reader: number): Buffer {
  const chunks: Buffer[] = []
  for (;;) {
    const chunk = Buffer.alloc(mebibyte)
    try {
      const count = readSync(reader, chunk)
      if (count === 0) return Buffer.concat(chunks)
      chunks.push(chunk.subarray(0, count))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return Buffer.concat(chunks)
      throw error
    }
  }
}

/** The fake kernel's count and hash of what it took. */
function taken(): number[] {
  return kernel.ask('taken 0').trim().split(' ').map(Number)
}

function hash(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) >>> 0
  return sum
}

const pattern = (bytes: number): Buffer =>
  Buffer.from({
    length: bytes,
    *[Symbol.iterator]() {
      for (let i = 0; i < bytes; i++) yield (i * 7 + 3) & 0xff
    },
  } as unknown as number[])

const facts = ({ result, call, bytes }: PumpAnswer): unknown[] => [result, call, bytes]

/** fds of this process. */
const fdCount = (): number => readdirSync('/proc/self/fd').length

/** As scenario(); nothing that a pump has opened may be left. */
function pumped(sentence: string, body: () => Promise<void>): void {
  scenario(sentence, async () => {
    directory = mkdtempSync(join(tmpdir(), 'vfio-pump-'))
    try {
      await body()
    } finally {
      for (const cleanup of cleanups.splice(0)) cleanup()
      rmSync(directory, { recursive: true })
    }
  })
}

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

  pumped('is cancelled while it waits for its time', async () => {
    const session = await saving(mebibyte)
    const pump = session.pumpTo(openFile('/dev/null', 'w'), unlimited, 1, 0)
    while (pump.bytesWritten() === 0) await turn()
    pump.cancel()
    assert.deepEqual((await pump.done).result, -E.ECANCELED)
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
    closeSync(reader)
    cleanups.splice(0, 1)
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

  pumped('leaves no fd behind, and its buffer to the next', async () => {
    const session = await saving(1000, PRE_COPY)
    const fd = openFile('/dev/null', 'w')
    const fds = fdCount()
    for (let i = 0; i < 20; i++) await session.pumpTo(fd, unlimited, 0, 0).done
    assert.equal(fdCount(), fds)
  })
})

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
    execFileSync('mkfifo', [file('pipe')])
    const both = openFile(file('pipe'), 'r+')
    const reader = openFile(file('pipe'), 'r')
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
    const directoryFd = openFile(directory, 'r')
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
    execFileSync('mkfifo', [file('pipe')])
    const fd = openFile(file('pipe'), 'r+')
    const { done } = session.pumpFrom(fd, unlimited, 0)
    await session.close()
    assert.equal((await done).result, -E.ECANCELED)
  })
})

describe('save and load over the addon', () => {
  /** What the fake kernel has taken when a pump is over: of a session that is closed it does not tell. */
  let loaded: number[] = []

  /** Its session as it is, but that each read and write of JavaScript's is taken down. */
  function watched(session: SessionCalls, chunks: string[]): SessionCalls {
    const note = <T>(name: string, call: () => T): T => {
      chunks.push(name)
      return call()
    }
    return {
      read: (...request) => note('read', () => session.read(...request)),
      write: data => note('write', () => session.write(data)),
      putTo: (...request) => session.putTo?.(...request) ?? assert.fail(),
      pumpTo: (...request) => session.pumpTo?.(...request) ?? assert.fail(),
      pumpFrom(...request) {
        const pump = session.pumpFrom?.(...request) ?? assert.fail()
        void pump.done.then(() => (loaded = taken()))
        return pump
      },
      precopyInfo: () => session.precopyInfo(),
      close: () => session.close(),
    }
  }

  /** Runs the command with a device of the fake kernel; answers its exit code, and what it said and did. */
  async function command(
    io: Partial<Io>,
    ...words: string[]
  ): Promise<{ exit: number; said: string; chunks: string[] }> {
    const chunks: string[] = []
    const native = await open()
    const setStates = async (...[states, gate]: Parameters<DeviceCalls['setStates']>) => {
      const { session, ...arcs } = await native.setStates(states, gate)
      return { ...arcs, ...(session && { session: watched(session, chunks) }) }
    }
    const calls = new Proxy(native, {
      get(target, name) {
        if (name === 'setStates') return setStates
        if (name === 'setStatesFrom') return undefined
        const method: unknown = Reflect.get(target, name)
        return typeof method === 'function' ? (method.bind(target) as unknown) : method
      },
    })
    const backend = { name: 'vf', driver: undefined, origin: 'lent', via: 'fd', clock, calls } as const
    const output = capturedIo()
    const exit = await run(['node', 'vfio-migrate', ...words], {
      ...output,
      ...io,
      openDevice: () => openDevice(backend),
    })
    return { exit, said: output.stderr.text, chunks }
  }

  pumped('take no chunk through JavaScript between a device and a file', async () => {
    kernel.set(0, { image: 5 * mebibyte })
    const save = await command({}, 'save', 'fd:9', '--raw', '-o', file('state'))
    assert.deepEqual([save.exit, save.chunks], [0, []], save.said)
    kernel.tell('forget')
    kernel.tell('reset')
    const load = await command({}, 'load', 'fd:9', '--raw', '-i', file('state'), '--release')
    // What was looked at to see that it is not empty.
    assert.deepEqual([load.exit, load.chunks], [0, ['write']], load.said)
    const state = readFileSync(file('state'))
    assert.deepEqual(loaded, [state.length, hash(state)])
  })

  pumped('take a pipe for stdout and stdin', async () => {
    kernel.set(0, { image: 300_000 })
    const { reader, writer } = pipe()
    const stdout = Object.assign(new Captured(), { fd: writer })
    const saving = command({ stdout }, 'save', 'fd:9', '--raw', '-o', '-')
    let isSaved = false
    void saving.finally(() => (isSaved = true))
    const chunks: Buffer[] = []
    do {
      await turn()
      chunks.push(takeFrom(reader))
    } while (!(isSaved as boolean))
    const saved = await saving
    assert.deepEqual([saved.exit, saved.chunks, stdout.text], [0, [], ''], saved.said)
    const state = Buffer.concat(chunks)
    kernel.tell('forget')
    kernel.tell('reset')
    const stdin = await sockets()
    stdin.far.end(state)
    const load = await command({ stdinFd: stdin.fd }, 'load', 'fd:9', '--raw', '-i', '-', '--release')
    assert.deepEqual([load.exit, load.chunks], [0, ['write']], load.said)
    assert.deepEqual(loaded, [state.length, hash(state)])
  })

  pumped('name the file that is full', async () => {
    const stdout = Object.assign(new Captured(), { fd: openFile('/dev/full', 'w') })
    const { exit, said } = await command({ stdout }, 'save', 'fd:9', '--raw', '-o', '-')
    assert.notEqual(exit, 0)
    assert.match(said, /ENOSPC: no space left on device/)
  })

  pumped('put the device back when they are interrupted while a pipe is full', async () => {
    kernel.set(0, { image: 300_000 })
    const { reader, writer } = pipe()
    const controller = new AbortController()
    const stdout = Object.assign(new Captured(), { fd: writer })
    const { signal } = controller
    const saving = command({ stdout, signal }, 'save', 'fd:9', '--raw', '-o', '-')
    await kernel.until('read 0 = ')
    controller.abort(new Interrupted('SIGINT'))
    const { exit, said } = await saving
    assert.equal(exit, 130, said)
    assert.deepEqual(kernel.lines('SET_STATE').at(-1), 'SET_STATE 0 2 = 0')
    takeFrom(reader)
  })
})

describe('pump() of a device over the addon', () => {
  async function openOver(): Promise<Device> {
    const calls = await open()
    return await openDevice({ name: 'vf', driver: undefined, origin: 'opened', via: 'cdev', clock, calls })
  }

  pumped('saves a device from its first byte to its last, and reads nothing ahead in between', async () => {
    const device = await openOver()
    kernel.set(0, { image: mebibyte })
    const fd = openFile(file('state'), 'w')
    await device.setState('PRE_COPY')
    const first = await device.savingStream.pump(fd, { until: 'idle' })
    assert.deepEqual(first, { bytes: headers + mebibyte, pause: 'idle' })
    kernel.set(0, { dirty: 1000 })
    await device.precopyInfo()
    for (let i = 0; i < 10; i++) await turn()
    assert.equal(device.savingStream.bufferedBytes, 0, 'nobody reads ahead')
    const second = await device.savingStream.pump(fd, { until: 'idle' })
    assert.deepEqual(second, { bytes: header + 1000, pause: 'idle' })
    await device.setState('STOP_COPY')
    const third = await device.savingStream.pump(fd)
    assert.equal(third.pause, 'end')
    const total = first.bytes + second.bytes + third.bytes
    assert.equal(device.savingStream.bytesRead, total)
    assert.equal(readFileSync(file('state')).length, total)
    await device.close()
  })

  pumped('loses nothing when it is aborted in a full pipe, and goes on into a file', async () => {
    const device = await openOver()
    kernel.set(0, { image: 300_000 })
    await device.setState('STOP_COPY')
    const { reader, writer } = pipe()
    const { savingStream } = device
    const controller = new AbortController()
    const pumping = savingStream.pump(writer, { signal: controller.signal })
    while (savingStream.bytesRead - savingStream.bufferedBytes < pipeBytes) await turn()
    controller.abort()
    await assert.rejects(pumping, { name: 'AbortError' })
    const { pause } = await savingStream.pump(openFile(file('state'), 'w'))
    assert.equal(pause, 'end')
    const whole = Buffer.concat([takeFrom(reader), readFileSync(file('state'))])
    assert.ok(whole.equals(await expected(300_000)))
    await device.close()
  })

  pumped('brings what was read ahead first', async () => {
    const device = await openOver()
    kernel.set(0, { image: 8 * mebibyte })
    await device.setState('STOP_COPY')
    const chunks = device.savingStream.chunks()
    const { value } = await chunks.next()
    const first = Buffer.from(value as Uint8Array)
    await chunks.return('idle')
    await device.savingStream.copyTo(openFile(file('state'), 'w'))
    assert.ok(Buffer.concat([first, readFileSync(file('state'))]).equals(await expected(8 * mebibyte)))
    await device.close()
  })

  pumped('is told as an ended session when the device is closed meanwhile', async () => {
    const device = await openOver()
    kernel.set(0, { autosave: false })
    await device.setState('STOP_COPY')
    const pumping = device.savingStream.pump(openFile('/dev/null', 'w'))
    kernel.waitFor('poll saving')
    await Promise.all([device.close(), assert.rejects(pumping, { code: 'ERR_VFIO_SESSION_ENDED' })])
  })

  pumped('loads a file, and the device leaves RESUMING with it', async () => {
    const device = await openOver()
    const state = pattern(3 * mebibyte)
    writeFileSync(file('state'), state)
    await device.setState('RESUMING')
    const { resumingStream } = device
    const loaded = await resumingStream.pump(openFile(file('state'), 'r'))
    assert.deepEqual(loaded, { bytes: state.length, pause: 'end' })
    assert.deepEqual(taken(), [state.length, hash(state)])
    resumingStream.end()
    await device.setState('STOP')
    await device.close()
  })
})
