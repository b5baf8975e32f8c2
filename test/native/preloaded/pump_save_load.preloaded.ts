// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import type { DeviceCalls, SessionCalls } from '#lib/backend/seam.js'
import { monotonicClock as clock } from '#lib/clock.js'
import { openDevice } from '#lib/device/open.js'
import { Interrupted } from '#lib/cli/interruption.js'
import type { Io } from '#lib/cli/context.js'
import { run } from '#lib/cli/run.js'
import { Captured, capturedIo } from '../../unit/cli/streams.js'
import { kernel } from './kernel.js'
import { file, openFile, pipe, pumped, sockets, takeFrom } from './pump_ends.js'
import { mebibyte } from './pump_sessions.js'
import { open } from './scenario.js'
import { hash, taken } from './taken.js'

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
