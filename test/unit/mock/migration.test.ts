// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, openDevice, type Device, type MigrationReport } from 'vfio-migrate'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'
import { pairOf } from '../migration/pair.js'

interface Pair {
  readonly source: MockDevice
  readonly target: MockDevice
  readonly from: Device
  readonly to: Device
}

async function pair(options: MockOptions, clock?: VirtualClock): Promise<Pair> {
  const source = new MockDevice({ ...options, name: 'source', seed: 1n, clock })
  const target = new MockDevice({ ...options, name: 'target', seed: 2n, clock })
  return { source, target, from: await openDevice(source), to: await openDevice(target) }
}

function devicesOf({ from, to }: Pair): Pick<Pair, 'from' | 'to'> {
  return { from, to }
}

/** Both are one state, and never ran at once. */
function assertMoved({ source, target }: Pair): void {
  assert.equal(target.digest(), source.digest())
  assert.deepEqual([source.state, target.state, target.seed], ['STOP', 'RUNNING', 1n])
  assert.deepEqual([...source.unusedFaults(), ...target.unusedFaults()], [])
}

const latency = {
  SUSPEND_INITIATOR: 1,
  SUSPEND_RESPONDER: 1,
  RESUME_RESPONDER: 2,
  RESUME_INITIATOR: 2,
  SAVE: 3,
  LOAD: 4,
}

describe('a migration from mock to mock', () => {
  for (const kernel of ['6.12', '7.2'] as const) {
    it(`moves the state of a device that runs, as Linux ${kernel} does`, async () => {
      const options = { kernel, size: '256KiB', dirty: '1MiB/s', latency } as const
      const clock = new VirtualClock()
      const devices = await pair({ ...options, dirty: 0 }, clock)
      await migrate(devicesOf(devices))
      assertMoved(devices)
    })
  }

  it('lets each epoch be run by one owner', async () => {
    const clock = new VirtualClock()
    const devices = await pair({ size: '256KiB', dirty: '1MiB/s', latency }, clock)
    await clock.sleep(100)
    await migrate(devicesOf(devices))
    await clock.sleep(100)
    const runs = [...devices.source.runLog, ...devices.target.runLog].filter(({ seed }) => seed === 1n)
    assert.equal(runs.length, 2)
    assert.equal(runs[1]?.firstEpoch, runs[0]?.endEpoch)
    assert.ok((runs[1]?.beginNs ?? 0n) >= (runs[0]?.endNs ?? 0n))
    assert.equal(devices.target.epoch, runs[1]?.endEpoch)
  })

  it('reports the times of the virtual clock, the same at each run', async () => {
    const run = async (): Promise<MigrationReport> =>
      await migrate(
        devicesOf(
          await pair(
            { size: '1MiB', dirty: '20MiB/s', latency, bandwidth: { save: '1GiB/s', load: '1GiB/s' } },
            new VirtualClock(),
          ),
        ),
      )
    const [one, other] = [await run(), await run()]
    assert.deepEqual([one.downtimeMs, one.totalMs, one.bytes], [other.downtimeMs, other.totalMs, other.bytes])
    // Two suspensions, the final SAVE and its LOAD, two resumptions: the rest is the bytes'.
    assert.ok(one.downtimeMs >= 1 + 1 + 3 + 4 + 2 + 2 && one.downtimeMs < 14, String(one.downtimeMs))
  })

  it('has no pre-copy where the device has none', async () => {
    const devices = await pair({ capabilities: { preCopy: false } }, new VirtualClock())
    const { bytes, precopyBytes } = await migrate(devicesOf(devices))
    assert.deepEqual([bytes, precopyBytes], [40 + 80 + 2 ** 20, 0])
    assertMoved(devices)
  })

  it('falls back to everything when the firmware gives no increments', async () => {
    const devices = await pair({ size: '64KiB' }, new VirtualClock())
    devices.source.inject({ on: 'SAVE', status: 9 })
    const report = await migrate(devicesOf(devices))
    assert.equal(report.bytes, 40 + 80 + 65536)
    assert.equal(pairOf(report).gaveUpPrecopy, true)
    assertMoved(devices)
  })

  it('sees that an image did not come that was promised, and moves everything at the stop', async () => {
    const devices = await pair({ size: '64KiB', dirty: '16MiB/s', latency }, new VirtualClock())
    devices.source.inject({ on: 'SAVE', nth: 2, status: 9 })
    const report = await migrate(devicesOf(devices))
    const { precopyBytes, bytes, gaveUpPrecopy } = pairOf(report)
    assert.deepEqual([precopyBytes, gaveUpPrecopy], [24 + 16 + 80 + 65536, true])
    assert.equal(bytes - precopyBytes, 16 + 80 + 65536)
    assert.deepEqual(devices.source.unusedFaults(), [])
  })

  it('moves what begins anew again', async () => {
    const devices = await pair({ size: '64KiB', reinit: true }, new VirtualClock())
    const anew = (): void => {
      if (devices.source.state === 'PRE_COPY') devices.source.reinit()
    }
    let times = 0
    await migrate({ ...devicesOf(devices), onProgress: () => times++ < 3 && anew() })
    assertMoved(devices)
  })

  it('moves 64 MiB on the time of the machine', async () => {
    const devices = await pair({ size: '64MiB' })
    await migrate(devicesOf(devices))
    assertMoved(devices)
  })

  it('moves a hundred, one after another, on one clock', async () => {
    const clock = new VirtualClock()
    for (let k = 1; k <= 100; k++) {
      const devices = await pair({ size: k * 1024, latency }, clock)
      await migrate(devicesOf(devices))
      assertMoved(devices)
    }
  })
})
