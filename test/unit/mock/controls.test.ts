// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice, type Device } from '#lib/index.js'
import {
  connectMockControl,
  MockDevice,
  MockOops,
  openRemoteMock,
  serveMock,
  validateFault,
  type Fault,
  type MockOptions,
  type ServeOptions,
} from 'vfio-migrate/mock'
import { hold } from './hand.js'
import { Processes } from './served/processes.ts'

const bad: readonly [given: unknown, name: 'TypeError' | 'RangeError'][] = [
  [-1, 'RangeError'],
  [NaN, 'RangeError'],
  [1.5, 'RangeError'],
  [1e30, 'RangeError'],
  ['3', 'TypeError'],
  [null, 'TypeError'],
]

describe('the controls of a mock', () => {
  for (const [given, name] of bad) {
    it(`refuse to make ${JSON.stringify(given)} (${typeof given}) steps`, () => {
      const { mock } = hold()
      assert.throws(() => mock.step(given as number), { name, message: /^steps: / })
      assert.equal(mock.epoch, 0n)
    })
  }

  it('refuse the same from another process', async () => {
    const processes = new Processes()
    try {
      const path = processes.path('mock')
      const mock = new MockDevice()
      await processes.serve(mock, path, 'with-host')
      using control = await connectMockControl(path)
      for (const [given, name] of bad)
        await assert.rejects(control.step(given as number), { name, message: /^steps: / })
      assert.equal(await control.epoch(), 0n)
    } finally {
      await processes[Symbol.asyncDispose]()
    }
  })

  it('refuse what is no address, and a device that does not run', async () => {
    const hand = hold()
    for (const [iova, name] of [
      [5, 'TypeError'],
      [undefined, 'TypeError'],
      [-1n, 'RangeError'],
      [2n ** 64n, 'RangeError'],
    ] as const)
      // prettier-ignore
      assert.throws(() => hand.mock.writeByDma(iova as bigint), { name, message: /^iova: / })
    hand.mock.writeByDma(0n)
    await hand.backend.calls.close()
    assert.throws(() => hand.mock.writeByDma(0n), /does not run/)
  })

  it('refuse options that are none', () => {
    for (const options of [[], null, 5])
      assert.throws(() => new MockDevice(options as unknown as MockOptions), TypeError)
  })

  it('refuse what is no path, and no way to die', async () => {
    const mock = new MockDevice()
    const options: ServeOptions = { dies: 'with-host' }
    await assert.rejects(serveMock(mock, 5 as unknown as string, options), /^TypeError: path: /)
    await assert.rejects(
      serveMock(mock, '/tmp/x', undefined as unknown as ServeOptions),
      /options of serveMock/,
    )
    await assert.rejects(openRemoteMock(5 as unknown as string), /^TypeError: path: /)
    await assert.rejects(connectMockControl(5 as unknown as string), /^TypeError: path: /)
  })

  it('keep what was checked', async () => {
    const fault = { on: 'QUERY', status: 1 }
    const options = { size: 4096, faults: [fault as Fault] }
    const { mock, backend } = hold(options)
    mock.inject(fault as Fault)
    fault.status = 999
    assert.deepEqual(mock.options.faults, [{ on: 'QUERY', status: 1 }])
    assert.throws(() => Object.assign(mock.options, { size: 1 }), TypeError)
    assert.throws(() => Object.assign(mock.options.capabilities, { p2p: false }), TypeError)
    assert.throws(() => Object.assign(mock.options.latency, { SAVE: -1 }), TypeError)
    assert.deepEqual([await backend.calls.dataSize(), await backend.calls.dataSize()], [-5, -5])
    const { flavour, capabilities } = mock.options
    assert.throws(
      () => validateFault({ on: ['QUERY'], status: 1 }, { flavour: flavour.name, capabilities }),
      /no point/,
    )
  })

  it('say that a PF which goes is simulated of mlx5 alone', async () => {
    const mock = new MockDevice({ flavour: 'qat' })
    await assert.rejects(mock.detach(), /qat.*mlx5 alone/)
    assert.throws(() => mock.attach(), /qat.*mlx5 alone/)
  })

  it('tell what has crashed', async () => {
    const hand = hold({ faults: [{ on: 'SAVE_CLEANUP', status: 1 }] })
    await hand.set('PRE_COPY')
    await hand.set('RUNNING')
    assert.equal(hand.mock.crashed, undefined)
    await assert.rejects(
      hand.set('RUNNING'),
      error => error === hand.mock.crashed && error instanceof MockOops,
    )
  })

  it('are not taken for a device by migrate()', async () => {
    const mock = new MockDevice()
    await using device = await openDevice(mock)
    const from = mock as unknown as Device
    await assert.rejects(migrate({ from, to: device }), /^TypeError: .*'from'.*openDevice\(\)/)
    await assert.rejects(migrate({ from: device, to: from }), /^TypeError: .*'to'.*openDevice\(\)/)
  })
})

describe('faults that are due together', () => {
  it('strike one after another, the one given first first', async () => {
    const hand = hold({ faults: [{ on: 'QUERY', nth: 2, errno: 'EIO' }, { on: 'QUERY', errno: 'EBUSY' }, { on: 'QUERY', nth: 2, errno: 'ENOMEM' }] }) // prettier-ignore
    const ask = (): Promise<number> => hand.backend.calls.dataSize()
    assert.deepEqual([await ask(), await ask(), await ask(), (await ask()) > 0], [-16, -5, -12, true])
  })

  it('at two points that are reached at once are not lost', async () => {
    const hand = hold({
      faults: [
        { on: 'SAVE_CLEANUP', status: 1 },
        { on: 'SAVE', nth: 2, status: 1 },
      ],
    })
    await hand.set('PRE_COPY')
    await hand.set('RUNNING')
    assert.deepEqual(hand.mock.unusedFaults(), [{ on: 'SAVE', nth: 2, status: 1 }])
  })
})

describe('who reads or writes when another holder crashes the kernel', () => {
  it('is told of the crash', async () => {
    const { mock } = hold({ faults: [{ on: 'SAVE', hold: true }] })
    const device = await openDevice(mock)
    await device.setState('STOP_COPY')
    const reading = assert.rejects(device.savingStream.toArray(), MockOops)
    crash(mock)
    await reading
  })

  it('is told of it while it waits between two images', async () => {
    const { mock } = hold()
    const device = await openDevice(mock)
    await device.setState('PRE_COPY')
    const stream = device.savingStream
    const reading = assert.rejects(async () => {
      for await (const chunk of stream.chunks()) assert.ok(chunk.length > 0)
    }, MockOops)
    assert.equal(await stream.idle(), 'idle')
    crash(mock)
    await assert.rejects(device.close(), MockOops)
    await reading
  })

  it('is told of it by the write', async () => {
    const { mock } = hold()
    const device = await openDevice(mock)
    await device.setState('RESUMING')
    const stream = device.resumingStream
    const failed = new Promise(resolve => stream.once('error', resolve))
    crash(mock)
    stream.write(Buffer.alloc(10))
    assert.ok((await failed) instanceof MockOops)
  })
})

/** As a driver does that dereferences what is gone. */
function crash(mock: MockDevice): void {
  assert.throws(() => coreOf(mock).oops('a test'), MockOops)
}

function coreOf(mock: MockDevice): { oops(what: string): never } {
  const { calls } = mock.open()
  return (calls as unknown as { core: { oops(what: string): never } }).core
}
