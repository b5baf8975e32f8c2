// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, MigrationError, openDevice, type Device, type MigrateOptions } from 'vfio-migrate'
import type { MigrationReport, StateName } from 'vfio-migrate'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'

const latency = {
  SUSPEND_INITIATOR: '1ms',
  SUSPEND_RESPONDER: '2ms',
  RESUME_RESPONDER: '3ms',
  RESUME_INITIATOR: '4ms',
  SAVE: '5ms',
  LOAD: '6ms',
} as const
const arcsMs = 1 + 2 + 3 + 4
/** One that stops nothing before it can be taken back. */
const refused = { restored: () => Promise.reject(new Error('not mine')) }

interface Pair {
  readonly source: MockDevice
  readonly from: Device
  readonly to: Device
}

async function pair(
  changes: MockOptions = {},
  { clock = new VirtualClock(), name = 'source' } = {},
): Promise<Pair> {
  const common = { clock, latency, size: '1MiB', dirty: '1MiB/s' } as const
  const source = new MockDevice({ ...common, name, seed: 1n, ...changes })
  const to = await openDevice(new MockDevice({ ...common, name: `${name}'s`, seed: 2n }))
  return { source, from: await openDevice(source), to }
}

type Devices = Pick<MigrateOptions, 'from' | 'to'>

async function failed(
  { from, to }: Devices,
  options: Partial<MigrateOptions> = {},
): Promise<MigrationReport> {
  const error: unknown = await migrate({ from, to, ...options }).catch((error: unknown) => error)
  assert.ok(error instanceof MigrationError, String(error))
  const { report } = error
  assert.deepEqual([report.downtimeMs, report.downtime], [0, undefined])
  return report
}

/** How long it made no step, in ms, by what it wrote before and after. */
async function gapOf({ source, from }: Pair): Promise<number> {
  await new Promise<void>(resolve => from.clock.after(1000, resolve))
  const [before, after] = source.runLog.slice(-2)
  assert.ok(before && after, 'it runs again')
  return Number(after.beginNs - before.endNs) / 1e6
}

describe('the pause of a migration that was taken back', () => {
  it('is how long the source stood, from its first arc to its last one back', async () => {
    const one = await pair()
    const { pausedMs = NaN } = await failed(one, { participant: refused })
    const gapMs = await gapOf(one)
    // The first arc is a part of it, and so are all that the stop was for: an image saved, and loaded.
    assert.ok(pausedMs >= gapMs && pausedMs <= gapMs + 1 + 4, `${pausedMs} ms, and no step for ${gapMs}`)
    assert.ok(pausedMs >= arcsMs + 5 + 6, `${pausedMs} ms`)
  })

  it('is no more than the arcs there and back where there was nothing between them', async () => {
    const one = await pair()
    one.source.inject({ on: 'ALLOC_OPEN', errno: 'ENOMEM' })
    const { pausedMs } = await failed(one, { precopy: false })
    assert.equal(pausedMs, arcsMs)
  })

  it('is none where the source ran all the time', async () => {
    for (const options of [{ faults: [{ on: 'SAVE', errno: 'EIO' }] }, {}] as const) {
      const one = await pair(options)
      const participant = { quiesce: () => Promise.reject(new Error('not now')) }
      assert.ok(!('pausedMs' in (await failed(one, { participant }))))
    }
    const one = await pair()
    one.source.inject({ on: 'SUSPEND_INITIATOR', errno: 'EIO' })
    assert.ok(!('pausedMs' in (await failed(one))), 'its first arc was refused')
  })

  it('is none of a migration that has happened', async () => {
    const { from, to } = await pair()
    const report = await migrate({ from, to })
    assert.ok(report.downtimeMs > 0 && !('pausedMs' in report))
  })

  for (const [state, stood] of [
    ['STOP', false],
    ['RUNNING_P2P', true],
  ] as const satisfies readonly (readonly [StateName, boolean])[]) {
    it(`${stood ? 'is there' : 'is none'} of a source that was found in ${state}`, async () => {
      const one = await pair()
      await one.from.setState(state)
      const report = await failed(one, { participant: refused })
      assert.deepEqual([await one.from.state(), 'pausedMs' in report], [state, stood])
    })
  }

  it('has no end where the way back fails, or the source was reset', async () => {
    const halted = await pair({ faults: [{ on: 'RESUME_RESPONDER', errno: 'ETIMEDOUT' }] })
    assert.ok(!('pausedMs' in (await failed(halted, { participant: refused }))))
    assert.equal(halted.source.state, 'STOP')
    const lost = await pair({ faults: [{ on: 'SUSPEND_RESPONDER', errno: 'EIO' }] })
    const { devices, ...report } = await failed(lost)
    assert.deepEqual([devices[0]?.source.wasReset, 'pausedMs' in report], [true, false])
  })

  it('has no end for a set of which one has failed before its first arc', async () => {
    const clock = new VirtualClock()
    const names = ['a', 'b', 'c', 'd']
    const mocks = names.map(name => new MockDevice({ clock, name, flavour: 'pds' }))
    const [a = assert.fail(), b = assert.fail(), ...to] = await Promise.all(
      mocks.map(async mock => await openDevice(mock)),
    )
    const quiesce = (): void => mocks[1]?.inject({ on: 'ADAPTER_RECOVERY', nth: 2 })
    const dmaLogging = { pageSize: 4096, ranges: [{ iova: 0n, length: 4096n }], onDirty: () => undefined }
    const report = await failed({ from: [a, b], to }, { participant: { quiesce }, dmaLogging })
    const [one, other] = report.devices.map(({ source }) => source)
    assert.deepEqual([one?.state, one?.arcs.length, other?.state], ['RUNNING', 2, 'ERROR'])
    assert.ok(!('pausedMs' in report))
  })

  it('of a set is from the first that stops to the last that runs, and none where one does not', async () => {
    for (const isLost of [false, true]) {
      const clock = new VirtualClock()
      const slow = { ...latency, RESUME_INITIATOR: '50ms' }
      const faults = isLost ? [{ on: 'RESUME_RESPONDER', errno: 'EIO' } as const] : []
      const pairs = [
        await pair({ faults }, { clock }),
        await pair({ latency: slow }, { clock, name: 'slow' }),
      ]
      const set = { from: pairs.map(({ from }) => from), to: pairs.map(({ to }) => to) }
      const { pausedMs } = await failed(set, { participant: refused })
      if (isLost) assert.equal(pausedMs, undefined)
      else assert.ok((pausedMs ?? 0) > 50 + arcsMs)
    }
  })
})
