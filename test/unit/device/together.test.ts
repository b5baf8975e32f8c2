// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { Barrier, DeviceBackend, Gate } from '#lib/backend/seam.js'
import type { Device } from '#lib/device/device.js'
import { openDevice } from '#lib/device/open.js'
import { setStatesTogether } from '#lib/device/together.js'
import { MockDevice, MockOops, VirtualClock, type MockOptions } from 'vfio-migrate/mock'
import { gate, ScriptedDevice } from './scripted_device.js'

const EIO = -5

interface Set {
  readonly mocks: readonly MockDevice[]
  readonly devices: readonly Device[]
  /** The arcs of all, in the order in which they were made: the device, and where it was led. */
  readonly arcs: () => string[]
}

/** Mocks on one clock, opened; each suspends in its own time. */
async function opened(...options: MockOptions[]): Promise<Set> {
  const clock = new VirtualClock()
  const mocks = options.map(
    (option, index) => new MockDevice({ name: 'abc'[index], flavour: 'mlx5', clock, ...option }),
  )
  const devices = await Promise.all(mocks.map(mock => openDevice(mock)))
  const arcs = (): string[] =>
    mocks
      .flatMap(mock => mock.history.map(event => ({ event, name: mock.name })))
      .filter(({ event }) => event.kind === 'arc' && event.errno === 0)
      .sort((one, other) => one.event.at - other.event.at)
      .map(({ event, name }) => `${name} ${event.kind === 'arc' ? event.to : ''}`)
  return { mocks, devices, arcs }
}

const precopied = async (devices: readonly Device[]): Promise<void> => {
  for (const device of devices) await device.setState('PRE_COPY')
}

const slow: MockOptions[] = [
  { latency: { SUSPEND_INITIATOR: '5ms', SUSPEND_RESPONDER: '7ms' } },
  { latency: { SUSPEND_INITIATOR: '20ms', SUSPEND_RESPONDER: '9ms' } },
  { latency: { SUSPEND_INITIATOR: '1ms', SUSPEND_RESPONDER: '8ms' } },
]

async function close(devices: readonly Device[]): Promise<void> {
  for (const device of devices) await device.close()
}

describe('several devices led together', () => {
  it('pass the P2P state only when all have come to it, and wait in no arc', async () => {
    const { devices, arcs } = await opened(...slow)
    await precopied(devices)
    const before = arcs().length
    const outcomes = await setStatesTogether(devices, 'STOP_COPY', { through: new Set(['PRE_COPY_P2P']) })
    const made = arcs().slice(before)
    assert.deepEqual(made, [
      ...['c PRE_COPY_P2P', 'a PRE_COPY_P2P', 'b PRE_COPY_P2P'],
      ...['a STOP_COPY', 'c STOP_COPY', 'b STOP_COPY'],
    ])
    assert.deepEqual(
      outcomes.map(outcome => outcome.arcs.map(({ ms }) => ms)),
      [
        [5, 7],
        [20, 9],
        [1, 8],
      ],
    )
    assert.ok(outcomes.every(({ error }) => error === undefined))
    for (const device of devices) assert.ok(device.savingStream)
    await close(devices)
  })

  it('run again together: responders first, initiators when all responders do', async () => {
    const { devices, arcs } = await opened(
      { latency: { RESUME_RESPONDER: '5ms' } },
      { latency: { RESUME_RESPONDER: '1ms' } },
    )
    for (const device of devices) await device.setState('STOP')
    const before = arcs().length
    await setStatesTogether(devices, 'RUNNING', { through: new Set(['RUNNING_P2P']) })
    assert.deepEqual(arcs().slice(before), ['b RUNNING_P2P', 'a RUNNING_P2P', 'a RUNNING', 'b RUNNING'])
    await close(devices)
  })

  it('wait before their first arc where none leads through the state, or none is named', async () => {
    const { devices, arcs } = await opened(...slow)
    const [a, b, c] = devices as [Device, Device, Device]
    await a.setState('RUNNING_P2P')
    await c.setState('STOP')
    const before = arcs().length
    const [first, second, third] = await setStatesTogether([a, b, c], 'STOP', {
      through: new Set(['RUNNING_P2P']),
    })
    assert.deepEqual(arcs().slice(before), ['b RUNNING_P2P', 'a STOP', 'b STOP'])
    assert.deepEqual(
      [first, second, third].map(outcome => outcome?.arcs.map(({ ms }) => ms)),
      [[7], [20, 9], []],
    )
    await setStatesTogether([a, b, c], 'RUNNING', { through: undefined })
    assert.deepEqual(await Promise.all([a.state(), b.state(), c.state()]), ['RUNNING', 'RUNNING', 'RUNNING'])
    await close(devices)
  })

  it('go no further when one fails before: they say where they wait, and for whom', async () => {
    const { devices, arcs, mocks } = await opened(...slow)
    await precopied(devices)
    mocks[1]?.inject({ on: 'SUSPEND_INITIATOR', errno: 'EIO' })
    const before = arcs().length
    const [a, b, c] = await setStatesTogether(devices, 'STOP_COPY', { through: new Set(['PRE_COPY_P2P']) })
    assert.deepEqual(arcs().slice(before), ['c PRE_COPY_P2P', 'a PRE_COPY_P2P'])
    const failed = b?.error as Error & { state: string; code: string }
    assert.deepEqual([failed.code, failed.state, b?.arcs], ['EIO', 'PRE_COPY', []])
    for (const [outcome, name] of [
      [a, 'a'],
      [c, 'c'],
    ] as const) {
      const error = outcome?.error as Error & Record<string, unknown>
      assert.deepEqual(
        [error.name, error.code, error.device, error.state, error.recovery, error.cause],
        ['VfioError', 'ERR_VFIO_HELD_BACK', name, 'PRE_COPY_P2P', 'none', failed],
      )
      assert.match(error.message, new RegExp(`'${name}' was held back in PRE_COPY_P2P: 'b' failed: EIO`))
      assert.deepEqual(error.arcs, outcome?.arcs)
      assert.equal(outcome?.arcs.length, 1)
    }
    // None of them is the worse for it.
    const back = await setStatesTogether(devices, 'PRE_COPY', { through: undefined })
    assert.ok(back.every(({ error }) => error === undefined))
    await close(devices)
  })

  it('go on without one that fails behind the state, which is poisoned as ever', async () => {
    const { devices, mocks } = await opened(...slow)
    await precopied(devices)
    mocks[0]?.inject({ on: 'SUSPEND_RESPONDER', errno: 'ETIMEDOUT' })
    const [a, b, c] = await setStatesTogether(devices, 'STOP_COPY', { through: new Set(['PRE_COPY_P2P']) })
    assert.deepEqual([a?.arcs.length, b?.arcs.length, c?.arcs.length], [1, 2, 2])
    assert.equal((a?.error as { code?: string }).code, 'ETIMEDOUT')
    assert.deepEqual([b?.error, c?.error], [undefined, undefined])
    await assert.rejects(devices[0]?.state() ?? Promise.resolve(), { code: 'ERR_VFIO_POISONED' })
    await close(devices)
  })

  it('tell of a crash of the simulated kernel, and wait for nobody who is in it', async () => {
    const { devices } = await opened({})
    await precopied(devices)
    const oops = Object.assign(Object.create(MockOops.prototype) as Error, { message: 'crashed' })
    const script = new ScriptedDevice('d')
    const scripted = await openDevice(script)
    await scripted.setState('PRE_COPY')
    script.hold = () => Promise.reject(oops)
    const set = [scripted, ...devices]
    const [crashed, held] = await setStatesTogether(set, 'STOP_COPY', { through: new Set(['PRE_COPY_P2P']) })
    assert.equal(crashed?.error, oops)
    assert.equal((held?.error as { code?: string }).code, 'ERR_VFIO_HELD_BACK')
    await close(devices)
  })

  it('are checked before any is touched', async () => {
    const { devices, arcs } = await opened({}, {}, {})
    const [a, b, c] = devices as [Device, Device, Device]
    await precopied([a, b])
    const before = arcs()
    const to = (
      target: 'STOP_COPY' | 'PRE_COPY',
      set: Device[],
      from?: ('PRE_COPY' | 'RUNNING' | 'STOP')[],
    ) => setStatesTogether(set, target, { through: new Set(['PRE_COPY_P2P']), ...(from && { from }) })
    await assert.rejects(to('STOP_COPY', [a, b, c], ['PRE_COPY', 'PRE_COPY', 'STOP']), {
      code: 'ERR_VFIO_STATE_MOVED',
      device: 'c',
    })
    await assert.rejects(to('STOP_COPY', [a, b, a]), { code: 'ERR_VFIO_BUSY', device: 'a' })
    await assert.rejects(to('STOP_COPY', [a, b], ['PRE_COPY']), TypeError)
    b.savingStream.destroy()
    await assert.rejects(to('STOP_COPY', [a, b]), { code: 'ERR_VFIO_STREAM_DESTROYED', device: 'b' })
    await assert.rejects(to('STOP_COPY', [a], []), TypeError)
    const closing = to('STOP_COPY', [a, c])
    const closed = c.close()
    await assert.rejects(closing, { code: 'ERR_VFIO_CLOSED', device: 'c' })
    await closed
    const controller = new AbortController()
    const aborting = setStatesTogether([a], 'STOP_COPY', { through: undefined, signal: controller.signal })
    controller.abort()
    await assert.rejects(aborting, { name: 'AbortError' })
    assert.deepEqual(arcs(), before)
    assert.deepEqual(await setStatesTogether([], 'STOP', { through: undefined }), [])
    // Nobody is busy with what was refused.
    assert.equal((await a.setState('STOP_COPY')).length, 2)
    await close(devices)
  })

  it('is setState for one alone', async () => {
    const script = new ScriptedDevice()
    const device = await openDevice(script)
    script.log.length = 0
    const [outcome] = await setStatesTogether([device], 'STOP_COPY', { through: new Set(['RUNNING_P2P']) })
    assert.deepEqual(script.log, ['GET', 'SET 5', 'SET 1', 'SET 3'])
    assert.deepEqual(
      outcome?.arcs.map(({ ms }) => ms),
      [2, 2, 2],
    )
    await assert.rejects(setStatesTogether([device], 'PRE_COPY', { through: undefined }), {
      code: 'ERR_VFIO_NO_PATH',
    })
  })
})

describe('a device that waits for others', () => {
  for (const way of ['close', 'reset'] as const) {
    it(`waits no longer when one of them is told to ${way}`, async () => {
      const scripts = [new ScriptedDevice('one'), new ScriptedDevice('two')] as const
      const devices = await Promise.all(scripts.map(script => openDevice(script)))
      const { promise, open } = gate<undefined>()
      scripts[1].hold = () => promise
      const together = setStatesTogether(devices, 'STOP', { through: new Set(['RUNNING_P2P']) })
      while (!scripts[1].log.includes('SET 5')) await new Promise(resolve => setImmediate(resolve))
      // The first waits; the second hangs in the kernel.
      const ending = devices[0]?.[way]()
      await ending
      open(undefined)
      const outcomes = await together
      for (const { error } of outcomes) {
        assert.equal((error as { code?: string }).code, 'ERR_VFIO_HELD_BACK')
        assert.match(String(error?.message), /one of the devices was reset or closed/)
      }
      assert.ok(!scripts.some(({ log }) => log.includes('SET 1')))
    })
  }
})

describe('devices whose backends have a barrier in common', () => {
  it('get it in one list of SETs each, and times that were not waited', async () => {
    const given: (Gate | undefined)[] = []
    const parties: number[] = []
    const broken: string[] = []
    const barrier = (count: number): Barrier => {
      parties.push(count)
      return { break: () => broken.push('broken') }
    }
    const scripts = ['one', 'two'].map(name => new ScriptedDevice(name))
    const backends = scripts.map((script): DeviceBackend => {
      const { name, driver, origin, via, clock } = script
      const setStates: DeviceBackend['calls']['setStates'] = async (states, place) => {
        given.push(place)
        const answer = await script.calls.setStates(states)
        // Issued at 0, answered at 2, 4 and 6: half a ms before the last answer the others had come.
        return { ...answer, passed: 5.5 }
      }
      return { name, driver, origin, via, clock, calls: { ...script.calls, setStates }, barrier }
    })
    const devices = await Promise.all(backends.map(backend => openDevice(backend)))
    for (const script of scripts) script.log.length = 0
    const outcomes = await setStatesTogether(devices, 'STOP_COPY', { through: new Set(['STOP']) })
    assert.deepEqual(parties, [2])
    assert.deepEqual(
      given.map(place => place?.before),
      [2, 2],
    )
    assert.equal(given[0]?.barrier, given[1]?.barrier)
    assert.deepEqual(
      outcomes.map(({ arcs }) => arcs.map(({ ms }) => ms)),
      [
        [2, 2, 0.5],
        [2, 2, 0.5],
      ],
    )
    for (const { log } of scripts) assert.deepEqual(log, ['GET', 'SET 5', 'SET 1', 'SET 3'])
    await devices[0]?.setState('STOP')
    assert.equal(given.at(-1), undefined)
    assert.deepEqual(broken, [])
    assert.equal(scripts[0]?.state, 1)
  })

  it('take that of the event loop where one of them has another', async () => {
    const barrier = (): Barrier => assert.fail('it is not theirs in common')
    const script = new ScriptedDevice('one')
    const { name, driver, origin, via, clock, calls } = script
    const one = await openDevice({ name, driver, origin, via, clock, calls, barrier })
    const two = await openDevice(new ScriptedDevice('two'))
    script.failures.set(5, EIO)
    const [failed, held] = await setStatesTogether([one, two], 'STOP', { through: new Set(['RUNNING_P2P']) })
    assert.equal((failed?.error as { code?: string }).code, 'EIO')
    assert.equal((held?.error as { state?: string }).state, 'RUNNING_P2P')
  })
})
