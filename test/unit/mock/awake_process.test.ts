// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { MockDevice, serveMock } from 'vfio-migrate/mock'
import { Processes } from './served/processes.ts'

/** Runs a module of its own, and tells how it ended and what it wrote. */
async function runs(code: string): Promise<{ exit: number | null; output: string }> {
  const head = `import { openDevice, migrate } from 'vfio-migrate'; import { MockDevice } from 'vfio-migrate/mock';`
  const child = spawn(process.execPath, ['--input-type=module', '-e', head + code], { timeout: 10_000 })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [exit] = (await once(child, 'close')) as [number | null]
  return { exit, output }
}

describe('a process with a mock', () => {
  it('lives while a call is held, so that an abort is told', async () => {
    const { exit, output } = await runs(`
      const held = new MockDevice({ faults: [{ on: 'LOAD', hold: true }] })
      const from = await openDevice(new MockDevice()), to = await openDevice(held)
      const signal = AbortSignal.timeout(200)
      // The driver holds its mutex in a LOAD: where the device is can be asked when that has ended.
      signal.addEventListener('abort', () => setTimeout(() => held.releaseHeld(), 50).unref())
      await migrate({ from, to, signal }).catch(error => console.log(error.cause.name))
      process.exit(3)`)
    assert.deepEqual([exit, output], [3, 'AbortError\n'])
  })

  it('ends when a call that was held is let go', async () => {
    const { exit, output } = await runs(`
      const mock = new MockDevice({ faults: [{ on: 'QUERY', hold: true }] })
      const device = await openDevice(mock)
      setTimeout(() => mock.releaseHeld(), 100).unref()
      console.log(await device.stopCopyBytes() > 0)`)
    assert.deepEqual([exit, output], [0, 'true\n'])
  })

  it('ends with a device that was not closed, its own or one of another process', async () => {
    const processes = new Processes()
    try {
      const path = processes.path('mock')
      await using server = await serveMock(new MockDevice(), path, { dies: 'with-host' })
      for (const name of ['mock:', `mock+unix:${server.path}`]) {
        const { exit, output } = await runs(`console.log(await (await openDevice('${name}')).state())`)
        assert.deepEqual([exit, output], [0, 'RUNNING\n'], name)
      }
    } finally {
      await processes[Symbol.asyncDispose]()
    }
  })
})
