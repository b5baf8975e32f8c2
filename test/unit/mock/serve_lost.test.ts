// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { openDevice, VfioSystemError } from '#lib/index.js'
import { connectMockControl, MockDevice, openRemoteMock, serveMock } from 'vfio-migrate/mock'
import { eventually, kill, Processes } from './served/processes.ts'

describe('a mock of another process', () => {
  let processes: Processes

  beforeEach(() => {
    processes = new Processes()
  })

  afterEach(async () => {
    await processes[Symbol.asyncDispose]()
  })

  it('whose host dies in the middle of a SET is somewhere, and says so', async () => {
    const path = processes.path('mock')
    const host = await processes.host(
      path,
      { faults: [{ on: 'SUSPEND_RESPONDER', hold: true }] },
      'with-host',
    )
    const device = await openDevice(`mock+unix:${path}`)
    using control = await connectMockControl(path)
    const stopping = device.setState('STOP').catch((error: unknown) => error)
    await eventually(async () => (await control.state()) === 'RUNNING_P2P')
    await kill(host)
    const error = await stopping
    assert.ok(error instanceof VfioSystemError)
    assert.deepEqual([error.code, error.state, error.recovery], ['ENODEV', undefined, 'reset'])
    assert.deepEqual(error.failedArc, { from: 'RUNNING', to: 'STOP' })
    assert.match(error.message, /gone while it was led from RUNNING to STOP: how far it came cannot be known/)
    await assert.rejects(device.state(), { code: 'ENODEV' })
    await assert.rejects(device.reset(), { code: 'ENODEV', message: /is gone: close it/ })
    await device.close()
  })

  it('is led no further than the SET in which its client went', async () => {
    const path = processes.path('mock')
    const mock = new MockDevice({ faults: [{ on: 'SUSPEND_INITIATOR', hold: true }] })
    await processes.serve(mock, path, 'with-host')
    const client = processes.client(path, 'RUNNING_P2P', 'STOP')
    await mock.untilHeld()
    await kill(client)
    await eventually(() => isAnswered(mock, 'call', 'close', 2))
    mock.releaseHeld()
    await eventually(() => isAnswered(mock, 'answer', 'close', 2))
    assert.equal(mock.state, 'RUNNING_P2P')
  })

  it('leaves alone what lies beside its socket', async () => {
    const path = processes.path('mock')
    writeFileSync(`${path}.new`, 'mine')
    const server = await processes.serve(new MockDevice(), path, 'with-client')
    await server.close()
    assert.equal(readFileSync(`${path}.new`, 'utf8'), 'mine')
    assert.equal(existsSync(path), false)
  })

  it('has one host where two begin at once', async () => {
    const path = processes.path('mock')
    const begun = await Promise.allSettled(
      Array.from({ length: 5 }, () => processes.serve(new MockDevice(), path, 'with-client')),
    )
    assert.equal(begun.filter(({ status }) => status === 'fulfilled').length, 1)
    await (await openRemoteMock(path)).calls.close()
  })

  it('dies with one thing at a time', async () => {
    const mock = new MockDevice()
    const server = await processes.serve(mock, processes.path('a'), 'with-client')
    await assert.rejects(serveMock(mock, processes.path('b'), { dies: 'with-host' }), /served already/)
    await processes.serve(mock, processes.path('c'), 'with-client')
    const { calls } = await openRemoteMock(processes.path('c'))
    await assert.rejects(openRemoteMock(server.path), { code: 'EBUSY' })
    await calls.close()
  })
})

/** The lender's own close is the first. */
function isAnswered(mock: MockDevice, kind: 'call' | 'answer', call: string, times: number): boolean {
  return mock.history.filter(event => event.kind === kind && event.call === call).length === times
}
