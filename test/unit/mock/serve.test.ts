// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice } from '#lib/index.js'
import { errno } from '#lib/kernel/errno.js'
import { connectMockControl, MockDevice, MockOops, openRemoteMock } from 'vfio-migrate/mock'
import { eventually, kill, Processes } from './served/processes.ts'

const STOP = 1
const STOP_COPY = 3
const RESUMING = 4

describe('a mock in another process', () => {
  let processes: Processes

  beforeEach(() => {
    processes = new Processes()
  })

  afterEach(async () => {
    await processes[Symbol.asyncDispose]()
  })

  it('is opened by name, and migrates from one process to the other', async () => {
    const [from, to] = [processes.path('from'), processes.path('to')]
    const options = { size: 20 * 1024 * 1024 }
    await processes.host(from, { ...options, seed: 1 }, 'with-client')
    await processes.host(to, { ...options, seed: 2 }, 'with-client')
    await using source = await openDevice(`mock+unix:${from}`)
    await using target = await openDevice(`mock+unix:${to}`)
    using sourceControl = await connectMockControl(from)
    using targetControl = await connectMockControl(to)
    await sourceControl.step(4000)
    const { mock } = await migrate({ from: source, to: target })
    assert.equal(mock, true)
    assert.equal(await targetControl.digest(), await sourceControl.digest())
    assert.equal(await targetControl.epoch(), 4000n)
    assert.deepEqual(
      (await sourceControl.runLog()).map(({ firstEpoch, endEpoch }) => [firstEpoch, endEpoch]),
      [[0n, 4000n]],
    )
  })

  it('is closed and blank when its client has closed it, and can be had by one client at a time', async () => {
    const path = processes.path('mock')
    const mock = new MockDevice({ size: 8192, seed: 7 })
    const blank = mock.digest()
    await processes.serve(mock, path, 'with-client')
    const { calls, origin } = await openRemoteMock(path)
    assert.equal(origin, 'opened')
    mock.step(3)
    await assert.rejects(openRemoteMock(path), { code: 'EBUSY', syscall: 'connect' })
    await calls.close()
    assert.equal(mock.digest(), blank)
    assert.throws(() => mock.step(1), /does not run/)
    await (await openRemoteMock(path)).calls.close()
  })

  it('keeps its state in the host where it is lent, and is one device for all who have it', async () => {
    const path = processes.path('mock')
    const mock = new MockDevice({ size: 8192, seed: 7 })
    await processes.serve(mock, path, 'with-host')
    mock.step(3)
    const { calls, origin } = await openRemoteMock(path)
    const { calls: second } = await openRemoteMock(path)
    assert.equal(origin, 'lent')
    assert.equal((await calls.setStates([STOP])).result, 0)
    assert.equal(await second.getState(), STOP)
    await Promise.all([calls.close(), second.close()])
    const { calls: third } = await openRemoteMock(path)
    assert.equal(await third.getState(), STOP)
    assert.equal(mock.epoch, 3n)
    await third.close()
    await mock.release()
  })

  it('brings the call to its end in which a client was killed, and is closed then', async () => {
    const path = processes.path('mock')
    const mock = new MockDevice({ faults: [{ on: 'SUSPEND_RESPONDER', hold: true }] })
    await processes.serve(mock, path, 'with-client')
    const client = processes.client(path, 'STOP')
    await eventually(() => isHeld(mock, 'SUSPEND_RESPONDER'))
    await kill(client)
    assert.equal(mock.state, 'RUNNING_P2P')
    assert.equal(events(mock).includes('last close'), false)
    mock.releaseHeld()
    await eventually(() => events(mock).includes('last close'))
    const arcs = mock.history.flatMap(event => (event.kind === 'arc' ? [`${event.to} ${event.errno}`] : []))
    assert.deepEqual(arcs, ['RUNNING_P2P 0', 'STOP 0'])
    const { calls } = await openRemoteMock(path)
    assert.equal(await calls.getState(), 2)
    await calls.close()
  })

  it('keeps the state in which a killed client has left it, where it lives with its host', async () => {
    const path = processes.path('mock')
    const mock = new MockDevice({ faults: [{ on: 'SUSPEND_RESPONDER', hold: true }] })
    await processes.serve(mock, path, 'with-host')
    const client = processes.client(path, 'STOP')
    await eventually(() => isHeld(mock, 'SUSPEND_RESPONDER'))
    await kill(client)
    mock.releaseHeld()
    await eventually(() => mock.state === 'STOP')
    const { calls } = await openRemoteMock(path)
    assert.equal(await calls.getState(), STOP)
    await calls.close()
    await mock.release()
  })

  it('answers ENODEV to every call when its host was killed', async () => {
    const path = processes.path('mock')
    const host = await processes.host(
      path,
      { faults: [{ on: 'SUSPEND_RESPONDER', hold: true }] },
      'with-host',
    )
    const { calls } = await openRemoteMock(path)
    const { session } = await calls.setStates([6])
    using control = await connectMockControl(path)
    const stopping = calls.setStates([STOP_COPY])
    await eventually(async () => JSON.stringify(await controlHistory()).includes('SUSPEND_RESPONDER'))
    await kill(host)
    assert.equal((await stopping).result, -errno.ENODEV)
    assert.equal(await calls.getState(), -errno.ENODEV)
    assert.equal(await calls.reset(), -errno.ENODEV)
    assert.equal((await session?.read(100, 0))?.result, -errno.ENODEV)
    assert.equal((await session?.precopyInfo())?.result, -errno.ENODEV)
    await session?.close()
    await calls.close()
    assert.equal(await calls.getState(), -errno.EBADF)
    await assert.rejects(control.digest(), { code: 'ERR_VFIO_NO_DEVICE' })
    await assert.rejects(openDevice(`mock+unix:${path}`), { code: 'ERR_VFIO_NO_DEVICE' })

    async function controlHistory(): Promise<unknown> {
      return (await control.history()).map(event => event.kind === 'command' && event.command)
    }
  })

  it('is reset beside a call that hangs', async () => {
    const path = processes.path('mock')
    const mock = new MockDevice({ faults: [{ on: 'SUSPEND_INITIATOR', hold: true }] })
    await processes.serve(mock, path, 'with-client')
    const { calls } = await openRemoteMock(path)
    const stopping = calls.setStates([STOP])
    await eventually(() => isHeld(mock, 'SUSPEND_INITIATOR'))
    const reset = calls.reset()
    await eventually(() => events(mock).includes('reset'))
    mock.releaseHeld()
    assert.equal(await reset, 0)
    await stopping
    await calls.close()
  })

  it('answers EBADF when it is closed, ENODEV to precopy info, and ECANCELED to what waited', async () => {
    const path = processes.path('mock')
    const mock = new MockDevice({ faults: [{ on: 'QUERY', hold: true }] })
    await processes.serve(mock, path, 'with-client')
    const { calls } = await openRemoteMock(path)
    const { session } = await calls.setStates([STOP, RESUMING])
    const [inKernel, waits] = [calls.dataSize(), calls.getState()]
    await eventually(() => isHeld(mock, 'QUERY'))
    const closing = calls.close()
    assert.equal(await calls.getState(), -errno.EBADF)
    assert.equal(await session?.write(new Uint8Array(1)), -errno.EBADF)
    assert.equal((await session?.precopyInfo())?.result, -errno.ENODEV)
    assert.equal(await waits, -errno.ECANCELED)
    mock.releaseHeld()
    assert.ok((await inKernel) > 0)
    await closing
  })

  it('crashes in both processes', async () => {
    const path = processes.path('mock')
    await processes.serve(new MockDevice({ flavour: 'virtio' }), path, 'with-client')
    const { calls } = await openRemoteMock(path)
    const { session } = await calls.setStates([RESUMING])
    assert.equal((await calls.setStates([STOP])).result, 0)
    await assert.rejects(session?.write(new Uint8Array(1)) ?? Promise.resolve(), MockOops)
    await assert.rejects(calls.getState(), MockOops)
  })

  it('can be made to fail from where its client is', async () => {
    const path = processes.path('mock')
    await processes.host(path, { name: 'served', seed: 5 }, 'with-client')
    const { calls } = await openRemoteMock(path)
    using control = await connectMockControl(path)
    assert.equal(control.name, 'served')
    await assert.rejects(control.inject({ on: 'SAVE', errno: 'EPERM' }), TypeError)
    await control.inject({ on: 'SUSPEND_INITIATOR', errno: 'ETIMEDOUT' })
    assert.deepEqual(await control.unusedFaults(), [{ on: 'SUSPEND_INITIATOR', errno: 'ETIMEDOUT' }])
    assert.equal((await calls.setStates([STOP])).result, -errno.ETIMEDOUT)
    assert.equal(await control.state(), 'RUNNING')
    assert.equal(await control.seed(), 5n)
    await assert.rejects(control.reinit(), /made without reinit/)
    await control.inject({ on: 'SUSPEND_INITIATOR', hold: true })
    const stopping = calls.setStates([STOP])
    await eventually(async () => {
      const events = await control.history()
      return events.filter(event => event.kind === 'command').length === 2
    })
    await control.releaseHeld()
    assert.equal((await stopping).result, 0)
    await control.detach()
    assert.equal(await calls.dataSize(), -errno.ENOTCONN)
    await control.attach()
    await calls.close()
  })

  it('throws for what is no argument before anything is sent', async () => {
    const path = processes.path('mock')
    const mock = new MockDevice()
    await processes.serve(mock, path, 'with-client')
    const { calls } = await openRemoteMock(path)
    const before = mock.history.length
    assert.throws(() => calls.setStates([-1]), TypeError)
    assert.throws(() => calls.regionRead(0, 3, 2), TypeError)
    assert.equal(mock.history.length, before)
    await calls.close()
  })
})

function isHeld(mock: MockDevice, command: string): boolean {
  return mock.history.some(event => event.kind === 'command' && event.command === command)
}

function events(mock: MockDevice): string[] {
  return mock.history.flatMap(event => (event.kind === 'event' ? [event.event] : []))
}
