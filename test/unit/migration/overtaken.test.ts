// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, MigrationError, openDevice, type Device, type MigrateOptions } from 'vfio-migrate'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'

interface Pair {
  readonly source: MockDevice
  readonly target: MockDevice
  readonly from: Device
  readonly to: Device
}

async function pair(common: MockOptions, ofTarget: MockOptions = {}): Promise<Pair> {
  const source = new MockDevice({ ...common, seed: 1n })
  const target = new MockDevice({ ...common, seed: 2n, ...ofTarget })
  return { source, target, from: await openDevice(source), to: await openDevice(target) }
}

async function failure(options: MigrateOptions): Promise<MigrationError> {
  const error: unknown = await migrate(options).then(
    () => assert.fail('it happened'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof MigrationError, String(error))
  return error
}

/** Device states of a migration that was taken back. */
const asBefore = ['RUNNING', 'RUNNING']

describe('a migration that something overtakes', () => {
  it('comes to its end when one of a set fails while the other has more to load than its end', async () => {
    const common = { clock: new VirtualClock(), size: '4MiB', chunkSize: '1MiB' } as const
    const one = await pair(common, { latency: { LOAD: '1s' } })
    const other = await pair(common, { faults: [{ on: 'LOAD', nth: 2, errno: 'EINVAL' }] })
    const error = await failure({ from: [one.from, other.from], to: [one.to, other.to], precopy: false })
    assert.equal(error.report.outcome, 'source')
    assert.deepEqual([one.source.state, other.source.state], asBefore)
  })

  it('comes to its end when it is cancelled while loads wait for their turn', async () => {
    const common = { clock: new VirtualClock(), size: '4MiB', chunkSize: '1MiB' } as const
    const { from, to, source } = await pair(common, { latency: { LOAD: '1s' } })
    const cancel = new AbortController()
    const error = await failure({
      from,
      to,
      precopy: false,
      signal: cancel.signal,
      onProgress: ({ kind }) => kind === 'bytes' && cancel.abort(),
    })
    assert.deepEqual([error.report.outcome, source.state], ['source', 'RUNNING'])
  })

  it('is cancelled by nobody past its commit: what fails then is what is told', async () => {
    const { from, to, source } = await pair(
      { clock: new VirtualClock() },
      { faults: [{ on: 'RESUME_RESPONDER', errno: 'EIO' }] },
    )
    const cancel = new AbortController()
    const onProgress: MigrateOptions['onProgress'] = progress => {
      if (progress.kind === 'phase' && progress.phase === 'run') cancel.abort()
    }
    const { cause, report } = await failure({ from, to, signal: cancel.signal, onProgress })
    assert.equal((cause as NodeJS.ErrnoException).code, 'EIO')
    assert.deepEqual([report.outcome, source.state], ['source', 'RUNNING'])
  })

  it('gives nothing back when somebody else has made the destination run', async () => {
    const { from, to, source, target } = await pair({ clock: new VirtualClock() })
    const other = await openDevice(target.lend())
    const restored = async (): Promise<void> => {
      await other.setState('RUNNING')
    }
    const { report } = await failure({ from, to, participant: { restored } })
    assert.equal(report.outcome, 'destination')
    assert.deepEqual([source.state, target.state], ['STOP', 'RUNNING'])
  })

  it('runs nothing when somebody else has made the source run', async () => {
    const { from, to, source, target } = await pair({ clock: new VirtualClock() })
    const other = await openDevice(source.lend())
    const stopped = async (): Promise<undefined> => {
      await other.setState('RUNNING')
    }
    const { report } = await failure({ from, to, participant: { stopped } })
    assert.equal(report.outcome, 'source')
    assert.equal(source.state, 'RUNNING')
    assert.equal(target.seed, 2n, 'the destination holds nothing of it')
  })

  it('does not wait for whoever is told of dirty pages', async () => {
    const { from, to, source } = await pair({ clock: new VirtualClock() })
    const cancel = new AbortController()
    const error = await failure({
      from,
      to,
      signal: cancel.signal,
      dmaLogging: {
        pageSize: 4096,
        ranges: [{ iova: 0n, length: 4096n }],
        onDirty: async () => {
          cancel.abort()
          await new Promise(() => undefined)
        },
      },
    })
    assert.deepEqual([error.report.outcome, source.state], ['source', 'RUNNING'])
  })

  it('calls a participant for one moment after another, also when the other side fails meanwhile', async () => {
    const clock = new VirtualClock()
    const { from, to } = await pair(
      { clock },
      { latency: { LOAD: '1s' }, faults: [{ on: 'LOAD', errno: 'EIO' }] },
    )
    const calls: string[] = []
    const stopped = async ({ signal }: { signal: AbortSignal }): Promise<undefined> => {
      calls.push('stopped')
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      calls.push('stopped is over')
    }
    const resumed = (): void => void calls.push('resumed')
    const released = (): void => void calls.push('released')
    await failure({ from, to, precopy: false, participant: { stopped, resumed, released } })
    assert.deepEqual(calls, ['stopped', 'stopped is over', 'resumed', 'released'])
  })

  it('leaves no timer of a throttled chunk behind', async () => {
    const { from, to } = await pair({ size: '1MiB' })
    const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    const before = timers()
    const cancel = new AbortController()
    const onProgress: MigrateOptions['onProgress'] = ({ kind }) =>
      kind === 'phase' && setImmediate(() => cancel.abort())
    await assert.rejects(migrate({ from, to, bandwidth: 1024, signal: cancel.signal, onProgress }))
    await Promise.all([from.close(), to.close()])
    assert.equal(timers(), before)
  })

  it('ends for what an asynchronous listener rejects with', async () => {
    const { from, to } = await pair({ clock: new VirtualClock() })
    const onProgress: unknown = () => Promise.reject(new Error('from the listener'))
    await assert.rejects(migrate({ from, to, onProgress: onProgress as () => void }), /from the listener/)
  })

  it('cuts a round short at the deadline', async () => {
    const clock = new VirtualClock()
    const { from, to } = await pair({ clock, size: '64MiB' })
    const started = clock.now()
    const error = await failure({ from, to, bandwidth: 1024 * 1024, deadlineMs: 2000, onDeadline: 'abort' })
    assert.equal((error.cause as { code?: string }).code, 'ERR_VFIO_POLICY')
    assert.ok(clock.now() - started < 6000, `${clock.now() - started} ms`)
  })

  it('finds out that the last image was never made, also behind the rest of one that the deadline cut', async () => {
    const common = { size: '8MiB', dirty: '1MiB/s' } as const
    const options = { bandwidth: 1024 * 1024, deadlineMs: 9500 }
    const other = await pair({ ...common, clock: new VirtualClock() })
    const whole = await migrate({ from: other.from, to: other.to, ...options })
    const [first, second] = whole.devices[0]?.samples ?? []
    assert.ok(first && second?.cut)
    const { from, to, source } = await pair({ ...common, clock: new VirtualClock() })
    source.inject({ on: 'STREAM', cut: first.bytes + second.dirtyBytes })
    const { cause, report } = await failure({ from, to, ...options })
    assert.match((cause as Error).message, /gave no image when it had stopped/)
    assert.deepEqual([report.outcome, source.unusedFaults()], ['source', []])
  })

  for (const [round, deadlineMs] of [
    [1, 2000],
    [2, 9500],
  ] as const) {
    it(`switches at a deadline that cuts round ${round} short, and takes that for nothing that the driver did`, async () => {
      const { from, to } = await pair({ clock: new VirtualClock(), size: '8MiB', dirty: '1MiB/s' })
      const report = await migrate({ from, to, bandwidth: 1024 * 1024, deadlineMs })
      const [device] = report.devices
      const cut = device?.samples.at(-1)
      assert.deepEqual([device?.samples.length, cut?.cut, device?.gaveUpPrecopy], [round, true, false])
      assert.ok(cut && cut.bytes > 0 && cut.bytes < cut.initialBytes + cut.dirtyBytes)
      assert.equal(report.rounds.at(-1)?.bytes, cut.bytes)
      const foreseen = report.predicted?.downtimeMs ?? NaN
      // Of the first round no increment is known: then it is the most that it can be.
      const least = round === 1 ? 0 : 0.8 * report.downtimeMs
      assert.ok(foreseen > least, `${foreseen} foreseen, ${report.downtimeMs} ms`)
      if (round > 1)
        assert.ok(foreseen < 1.2 * report.downtimeMs, `${foreseen} foreseen, ${report.downtimeMs} ms`)
    })
  }
})
