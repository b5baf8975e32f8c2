// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice, type Device, type MigrationProgress } from 'vfio-migrate'
import { allFaultPoints, MockDevice, VirtualClock, type Fault, type MockOptions } from 'vfio-migrate/mock'
import { pairOf } from '../migration/pair.js'
import { failed, left, words } from './fault_outcome.js'
import { migrations, resets, type Row } from './fault_table.js'

async function outcome({ at, fault, isAborted, options = {} }: Row): Promise<unknown> {
  const clock = new VirtualClock()
  const common = {
    size: 64 * 1024,
    dirty: '16MiB/s',
    workingSet: 32 * 1024,
    latency: { SAVE: 1, LOAD: 1 },
    clock,
  }
  const source = new MockDevice({ ...common, ...options, seed: 1n, name: 'source' })
  const destination = new MockDevice({ ...common, ...options, seed: 2n, name: 'destination' })
  await using from = await openDevice(source.lend())
  await using to = await openDevice(destination.open())
  await clock.sleep(10)
  const faulty = at === 'source' ? source : destination
  faulty.inject(fault)
  const abort = new AbortController()
  const giveUp = (progress: MigrationProgress): void => {
    if (isAborted && progress.kind === 'bytes') abort.abort()
  }
  const ended = await migrate({ from, to, maxRounds: 2, signal: abort.signal, onProgress: giveUp }).then(
    report => ({ code: 'moved', pair: pairOf(report) }),
    (error: unknown) => failed(error),
  )
  assert.deepEqual(faulty.unusedFaults(), [], 'the fault was never reached')
  return {
    code: ended.code,
    source: left(source, ended.pair.source),
    destination: left(destination, ended.pair.destination),
  }
}

describe('a migration in which one thing goes wrong', () => {
  for (const row of [...migrations, ...resets]) {
    const { code, source, destination } = row
    const ends = `source ${source.join(' ')}, destination ${destination.join(' ')}`
    it(`${words(row)}: ${code}, ${ends}`, async () => {
      assert.deepEqual(await outcome(row), { code, source, destination })
    })
  }
})

/** A device that has yet to be asked for what its fault is to answer. */
async function faulty(
  fault: Fault,
  options: MockOptions = {},
): Promise<{ mock: MockDevice; device: Device }> {
  const clock = new VirtualClock()
  const mock = new MockDevice({ capabilities: { dmaLogging: true }, ...options, faults: [fault], clock })
  return { mock, device: await openDevice(mock.open()) }
}

const range = { iova: 0n, length: 0x10000n }

describe('a fault beside migrations', () => {
  it('RESET errno EAGAIN: the device is where it was, and can be reset again', async () => {
    const { mock, device } = await faulty({ on: 'RESET', errno: 'EAGAIN' })
    await device.setState('STOP')
    await assert.rejects(device.reset(), { code: 'EAGAIN', recovery: 'reset' })
    assert.equal(mock.state, 'STOP')
    await device.reset()
    assert.equal(mock.state, 'RUNNING')
    await device.close()
  })

  it('LOG_START status 8: ENOMEM, and nothing is logged', async () => {
    const { device } = await faulty({ on: 'LOG_START', status: 8 })
    await assert.rejects(device.dmaLogging.start({ pageSize: 4096, ranges: [range] }), { code: 'ENOMEM' })
    await assert.rejects(device.dmaLogging.report({ ...range, pageSize: 4096 }), { code: 'EINVAL' })
    await device.close()
  })

  it('LOG_REPORT errno ETIMEDOUT: that report fails, the next one does not', async () => {
    const { device } = await faulty({ on: 'LOG_REPORT', errno: 'ETIMEDOUT' })
    await device.dmaLogging.start({ pageSize: 4096, ranges: [range] })
    await assert.rejects(device.dmaLogging.report({ ...range, pageSize: 4096 }), { code: 'ETIMEDOUT' })
    await device.dmaLogging.report({ ...range, pageSize: 4096 })
    await device.close()
  })

  it('TRACKER: every report is EIO until logging is stopped and started', async () => {
    const { device } = await faulty({ on: 'TRACKER' })
    await device.dmaLogging.start({ pageSize: 4096, ranges: [range] })
    for (let count = 0; count < 2; count++) {
      await assert.rejects(device.dmaLogging.report({ ...range, pageSize: 4096 }), { code: 'EIO' })
    }
    await device.dmaLogging.stop()
    await device.dmaLogging.start({ pageSize: 4096, ranges: [range] })
    await device.dmaLogging.report({ ...range, pageSize: 4096 })
    await device.close()
  })

  it('ADAPTER_RECOVERY: a pds is in ERROR, and only a reset leaves it', async () => {
    const { device, mock } = await faulty({ on: 'ADAPTER_RECOVERY' }, { flavour: 'pds', capabilities: {} })
    await device.setState('STOP')
    mock.inject({ on: 'ADAPTER_RECOVERY', nth: 2 })
    await assert.rejects(device.setState('RUNNING'), { code: 'EIO', state: 'ERROR', recovery: 'reset' })
    await assert.rejects(device.setState('STOP'), { code: 'ERR_VFIO_NO_PATH', recovery: 'reset' })
    await device.reset()
    assert.equal(await device.state(), 'RUNNING')
    await device.close()
  })

  it('an arc of a flavour that has no commands: the state before it stands', async () => {
    const { device } = await faulty(
      { on: 'RUNNING_P2P->STOP', errno: 'EBUSY' },
      { flavour: 'mtty', capabilities: {} },
    )
    await assert.rejects(device.setState('STOP'), { code: 'EBUSY', state: 'RUNNING_P2P', recovery: 'none' })
    await device.close()
  })
})

describe('the points at which a mock can fail', () => {
  it('all have a row or a test here', () => {
    const others = ['RESET', 'LOG_START', 'LOG_REPORT', 'TRACKER', 'ADAPTER_RECOVERY']
    const told = new Set([...migrations.map(({ fault }) => fault.on as string), ...others])
    assert.deepEqual([...told].sort(), Object.keys(allFaultPoints).sort())
  })
})
