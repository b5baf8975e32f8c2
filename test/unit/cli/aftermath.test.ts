// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { load } from '#lib/cli/schemas/load.js'
import { move } from '#lib/cli/schemas/move.js'
import { save } from '#lib/cli/schemas/save.js'
import { TwoDevices } from './devices.js'

const EIO = -5
const STOP = 1
const RUNNING = 2
const STOP_COPY = 3

describe('what a command exits with, and says of its devices', () => {
  let directory: string
  let file: string
  /** It may be executed, and cannot be. */
  let noProgram: string
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'vfio-migrate-aftermath-'))
    file = join(directory, 'given')
    noProgram = join(directory, 'no-program')
    writeFileSync(file, 'state')
    writeFileSync(noProgram, '#!/no/such/interpreter\n', { mode: 0o755 })
  })
  after(() => rmSync(directory, { recursive: true }))

  const loading = (...more: string[]): string[] => ['load', 'fd:4', '--raw', '-i', file, ...more]
  const moving = (...more: string[]): string[] => ['move', 'fd:3', 'fd:4', ...more]

  it('0: done', async () => {
    const devices = new TwoDevices()
    assert.equal(await devices.run(...loading('--release', '--json')), 0, devices.io.stderr.text)
    assert.equal(devices.json(load).state, 'RUNNING')
  })

  it('1: the source runs again, and a destination that was opened here is blank again', async () => {
    const devices = new TwoDevices()
    devices.source.failures.set(STOP_COPY, EIO)
    const error = await devices.failure(1, ...moving('--release'))
    assert.deepEqual([error.device, error.state, error.recovery], ['source', 'RUNNING', 'none'])
    const [destination] = error.others ?? []
    assert.deepEqual([destination?.state, destination?.wasReset], ['RUNNING', true])
    assert.match(devices.io.stderr.text, /^'fd:4' was reset: it is blank, as it was when it was opened/m)
  })

  it('1: a destination that was opened here is blank again when its program cannot be run', async () => {
    const devices = new TwoDevices()
    assert.equal(await devices.run(...loading('--exec', noProgram)), 1, devices.io.stderr.text)
    assert.ok(devices.destination.log.includes('RESET'))
  })

  const mdev = 'ad3c5a0e-7f43-4c1c-9b0e-0d6f7f0a3a55'

  it('1: an mdev into which nothing was loaded is as it was after its reset, and is not called blank', async () => {
    const devices = new TwoDevices({ name: mdev })
    devices.source.failures.set(STOP_COPY, EIO)
    await devices.failure(1, ...moving('--release'))
    assert.match(
      devices.io.stderr.text,
      /^'fd:4' was reset, and is in RUNNING as before: nothing was loaded/m,
    )
  })

  it('4: an mdev that was loaded is not as it was: only a PCI reset is sure to clear a device', async () => {
    const devices = new TwoDevices({ name: mdev })
    assert.equal(await devices.run(...loading('--exec', noProgram)), 4, devices.io.stderr.text)
    assert.match(devices.io.stderr.text, /what was loaded may still be in it/)
  })

  it('4: a lent destination is left in RESUMING', async () => {
    const devices = new TwoDevices({ destination: 'lent' })
    devices.destination.failures.set(STOP, EIO)
    devices.destination.state = STOP
    const error = await devices.failure(4, ...loading('--release'))
    assert.deepEqual([error.state, error.recovery, error.wasReset], ['RESUMING', 'reset', undefined])
    assert.match(devices.io.stderr.text, /Only a reset helps: vfio-migrate reset fd:4 --yes/)
  })

  it('4: a lent destination is in the state that it was in, but with another content', async () => {
    const devices = new TwoDevices({ destination: 'lent' })
    devices.destination.failures.set(RUNNING, EIO)
    devices.destination.state = STOP
    const error = await devices.failure(4, ...loading('--release'))
    assert.deepEqual([error.state, error.recovery], ['STOP', 'none'])
    assert.match(devices.io.stderr.text, /'fd:4' is in STOP, and what it held is gone/)
  })

  it('4: a lent device was reset and does not tell its state', async () => {
    const devices = new TwoDevices({ destination: 'lent' })
    const { calls } = devices.destination
    const reset = calls.reset.bind(calls)
    calls.reset = async () => {
      calls.getState = () => Promise.resolve(EIO)
      return await reset()
    }
    const error = await devices.failure(4, 'reset', 'fd:4', '--yes')
    assert.deepEqual([error.code, error.state, error.wasReset], ['EIO', undefined, true])
  })

  it('4: a device does not tell its state when all is done', async () => {
    const devices = new TwoDevices()
    const { calls } = devices.source
    const setStates = calls.setStates.bind(calls)
    calls.setStates = async states => {
      if (states.includes(RUNNING)) calls.getState = () => Promise.resolve(EIO)
      return await setStates(states)
    }
    const error = await devices.failure(4, 'drive', 'fd:3', 'STOP,RUNNING')
    assert.deepEqual([error.code, error.arcs.length], ['EIO', 2])
  })

  it('4: the state has moved, and the program that was to have it cannot be run', async () => {
    const devices = new TwoDevices()
    assert.equal(await devices.run(...moving('--exec', noProgram)), 4)
    assert.match(devices.io.stderr.text, /^'fd:3' is in STOP, and was in RUNNING before/m)
    assert.match(devices.io.stderr.text, /^'fd:4' was reset/m)
  })

  describe('where the destination runs and the source does not stop', () => {
    function stuck(): TwoDevices {
      const devices = new TwoDevices()
      devices.source.failures.set(STOP, EIO)
      devices.source.state = STOP
      return devices
    }

    it('4: the destination is kept as was said, and the source is told of', async () => {
      const devices = stuck()
      assert.equal(await devices.run(...moving('--release', '--json')), 4, devices.io.stderr.text)
      const [pair] = devices.json(move).devices
      assert.equal(pair?.destination.state, 'RUNNING')
      assert.equal(pair.source.error?.code, 'EIO')
      assert.ok(!devices.destination.log.includes('RESET'))
      assert.match(
        devices.io.stderr.text,
        /^The destination runs, but the source 'source' could not be stopped: EIO/m,
      )
      assert.match(devices.io.stderr.text, /vfio-migrate reset fd:3 --yes/)
    })

    it('the exit status of a program that fails', async () => {
      assert.equal(await stuck().run(...moving('--exec', 'sh', '-c', 'exit 7')), 7)
      assert.equal(await stuck().run(...moving('--exec', 'true')), 4)
    })
  })

  it('refuses to load into a device that somebody else loads, and touches nothing', async () => {
    const devices = new TwoDevices({ destination: 'lent' })
    devices.destination.state = 4
    const error = await devices.failure(2, ...loading('--release'))
    assert.deepEqual([error.code, error.state, error.arcs], ['ERR_VFIO_REFUSED', 'RESUMING', []])
    assert.match(error.message, /^'fd:4' is in RESUMING: somebody else saves or loads it/)
    assert.ok(!devices.destination.log.some(entry => entry.startsWith('SET') || entry === 'RESET'))
  })

  it('refuses a path that there is not before it drives, wherever it begins', async () => {
    const devices = new TwoDevices()
    const error = await devices.failure(2, 'drive', 'fd:3', 'STOP,RESUMING,ERROR')
    assert.deepEqual([error.code, error.state, error.arcs], ['ERR_VFIO_NO_PATH', 'RUNNING', []])
    assert.match(error.message, /ERROR is entered by the driver alone/)
    assert.ok(!devices.source.log.some(entry => entry.startsWith('SET')))
  })

  it('refuses a state that the device has not before it drives', async () => {
    const devices = new TwoDevices()
    const error = await devices.failure(3, 'drive', 'fd:3', 'STOP,PRE_COPY')
    assert.deepEqual([error.code, error.state], ['ERR_VFIO_CAPABILITY', 'RUNNING'])
    assert.ok(!devices.source.log.some(entry => entry.startsWith('SET')))
  })

  it('saves no state of a device that gives none, and lets it run on', async () => {
    const devices = new TwoDevices()
    devices.gives()
    const error = await devices.failure(1, 'save', 'fd:3', '--raw', '-o', join(directory, 'empty'))
    assert.deepEqual([error.code, error.state], ['ERR_VFIO_INCOMPLETE', 'RUNNING'])
    assert.ok(!readdirSync(directory).includes('empty'))
  })

  it('saves, and says in which state the device is', async () => {
    const devices = new TwoDevices()
    assert.equal(await devices.run('save', 'fd:3', '--raw', '-o', join(directory, 'saved'), '--json'), 0)
    const { bytes, state } = devices.json(save)
    assert.deepEqual([bytes, state], [5, 'STOP'])
  })
})
