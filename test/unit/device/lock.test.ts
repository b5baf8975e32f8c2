// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lockIn } from '#lib/device/lock.js'
import { openDevice } from 'vfio-migrate'
import { MockDevice } from 'vfio-migrate/mock'

const holder = fileURLToPath(new URL('lock_holder.js', import.meta.url))
const name = '0000:08:00.2'
const device = { name, via: 'cdev' } as const

describe('the lock of a device', () => {
  let directory: string
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-lock-'))))
  afterEach(() => rmSync(directory, { recursive: true }))

  /** Another process that has it. */
  async function heldByChild(): Promise<ChildProcess> {
    const child = spawn(process.execPath, [holder, directory, name], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    return child
  }

  it('keeps out who comes second, however it has the device, until it is released; the file stays', async () => {
    const lock = await lockIn(directory, device)
    assert.equal(lock.path, join(directory, 'vfio-migrate-0000:08:00.2.lock'))
    await assert.rejects(lockIn(directory, { name, via: 'fd' }), {
      name: 'VfioError',
      code: 'ERR_VFIO_LOCKED',
      device: name,
      message: /'0000:08:00.2' is in use: this process has locked .*\. Wait for it, or end it/,
    })
    const other = await lockIn(directory, { name: '0000:08:00.3', via: 'cdev' })
    lock.release()
    lock.release()
    assert.ok(existsSync(lock.path))
    ;(await lockIn(directory, device)).release()
    other.release()
  })

  it('is free when the process that had it was killed, and names it before', async () => {
    const child = await heldByChild()
    await assert.rejects(lockIn(directory, device), {
      code: 'ERR_VFIO_LOCKED',
      message: new RegExp(`process ${child.pid} has locked`),
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    ;(await lockIn(directory, device)).release()
  })

  it('is not inherited by a process that is started meanwhile', async () => {
    const lock = await lockIn(directory, device)
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    await once(child, 'spawn')
    lock.release()
    ;(await lockIn(directory, device)).release()
    child.stdin.end()
    await once(child, 'exit')
  })

  it('says what is missing where there is no directory for it', async () => {
    const absent = join(directory, 'absent')
    await assert.rejects(lockIn(absent, device), {
      name: 'VfioSystemError',
      code: 'ENOENT',
      syscall: 'open',
      device: name,
      path: join(absent, 'vfio-migrate-0000:08:00.2.lock'),
      message: new RegExp(`As root: mkdir -m 1777 ${absent}`),
    })
  })

  it('follows no link, and waits at no pipe', async () => {
    const path = join(directory, `vfio-migrate-${name}.lock`)
    symlinkSync(join(directory, 'elsewhere'), path)
    await assert.rejects(lockIn(directory, device), {
      code: 'ELOOP',
      message: /remove what is no plain file/,
    })
    assert.ok(!existsSync(join(directory, 'elsewhere')))
    rmSync(path)
    execFileSync('mkfifo', [path])
    ;(await lockIn(directory, device)).release()
  })

  it('is none for a mock, a backend of another kind, and a lent fd that does not tell its device', async () => {
    await using mock = await openDevice(new MockDevice())
    for (const nameless of [mock, { name: '../x', via: 'backend' }, { name: 'fd:7', via: 'fd' }] as const) {
      const lock = await lockIn(directory, nameless)
      assert.equal(lock.path, undefined)
      lock.release()
    }
  })
})
