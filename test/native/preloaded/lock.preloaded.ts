// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { addon, addonPath } from './addon.js'
import { E, scenario } from './scenario.js'

const locks = new Set<string>()

const lockPath = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-lock-'))
  locks.add(directory)
  return join(directory, 'lock')
}

/** How many fds of this process are of the file. */
const opened = (path: string): number =>
  readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  }).length

describe('the lock of a file', () => {
  afterEach(() => {
    for (const directory of locks) rmSync(directory, { recursive: true })
    locks.clear()
  })

  scenario('is had once, also within one process', () => {
    const path = lockPath()
    const { result, lock } = addon.lockFile(path)
    assert.equal(result, 0)
    assert.deepEqual({ ...addon.lockFile(path) }, { result: -E.EAGAIN })
    assert.equal(opened(path), 1)
    lock?.release()
    lock?.release()
    assert.equal(opened(path), 0)
    assert.ok(statSync(path).isFile())
    addon.lockFile(path).lock?.release()
  })

  scenario('answers why its file cannot be made', () => {
    assert.equal(addon.lockFile(join(lockPath(), 'lock')).result, -E.ENOENT)
    assert.equal(addon.lockFile('/proc/vfio-migrate.lock').result, -E.ENOENT)
    assert.equal(addon.lockFile('/dev/null/lock').result, -E.ENOTDIR)
  })

  scenario('is let go when its object is collected', async () => {
    const path = lockPath()
    assert.equal(addon.lockFile(path).result, 0)
    for (let i = 0; i < 200 && opened(path) > 0; i++) {
      globalThis.gc?.()
      await turn()
    }
    addon.lockFile(path).lock?.release()
    assert.equal(opened(path), 0)
  })

  scenario('is let go when the thread that had it ends', async () => {
    const path = lockPath()
    const program = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { lock } = require(workerData.addonPath).lockFile(workerData.path)
      parentPort.postMessage(lock !== undefined)
      setInterval(() => lock, 1 << 30)`
    const worker = new Worker(program, { eval: true, workerData: { addonPath, path } })
    assert.deepEqual(await once(worker, 'message'), [true])
    assert.equal(addon.lockFile(path).result, -E.EAGAIN)
    await worker.terminate()
    const { result, lock } = addon.lockFile(path)
    assert.equal(result, 0)
    lock?.release()
  })
})
