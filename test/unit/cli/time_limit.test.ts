// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDevice } from 'vfio-migrate'
import { Interrupted } from '#lib/cli/interruption.js'
import { run } from '#lib/cli/run.js'
import { gate, ScriptedDevice } from '../device/scripted_device.js'
import { TwoDevices } from './devices.js'
import { capturedIo } from './streams.js'

describe('--timeout', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-time-'))
  const file = join(directory, 'given')
  before(() => writeFileSync(file, 'state'))
  after(() => rmSync(directory, { recursive: true }))

  const loading = (...more: string[]): string[] => ['load', 'fd:4', '--raw', '-i', file, ...more]

  it('gives up a device that does not open, and closes it should it open later', async () => {
    const scripted = new ScriptedDevice()
    const { promise, open } = gate<ScriptedDevice>()
    const io = capturedIo({ openDevice: async () => await openDevice(await promise) })
    const argv = ['node', 'vfio-migrate', ...loading('--release', '--timeout', '0.02')]
    assert.equal(await run(argv, io), 124)
    assert.match(io.stderr.text, /the time is up/)
    open(scripted)
    while (!scripted.log.includes('close')) await new Promise(resolve => setImmediate(resolve))
  })

  it('puts the device back when its work takes too long', async () => {
    const devices = new TwoDevices()
    devices.source.onSession = undefined
    const words = ['save', 'fd:3', '--raw', '-o', join(directory, 'saved'), '--timeout', '0.02']
    const error = await devices.failure(124, ...words)
    assert.equal(error.interruptedBy, 'timeout')
    assert.deepEqual([error.device, error.state], ['source', 'RUNNING'])
  })

  it('does not end --stay: only a signal does', async () => {
    const person = new AbortController()
    const devices = new TwoDevices({ io: { signal: person.signal } })
    const ending = devices.run(...loading('--stay', '--timeout', '0.05'))
    let ended = false
    void ending.then(() => (ended = true))
    // A later timer of the same kind: when it fires, the limit has fired before it.
    await once(AbortSignal.timeout(60), 'abort')
    assert.equal(ended, false, devices.io.stderr.text)
    person.abort(new Interrupted('SIGHUP'))
    assert.equal(await ending, 0)
    assert.match(devices.io.stderr.text, /Closing it\./)
  })
})
