// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import {
  migrate,
  MigrationError,
  openDevice,
  type Device,
  type MigrateOptions,
  type MigrationReport,
} from 'vfio-migrate'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'
import type { VfioError } from '#lib/errors.js'
import { Estimator } from '#lib/migration/estimate.js'
import { overrun } from '#lib/migration/overrun.js'

/*
 * A device of 16 MiB over 16 MiB a second: a second for the whole state. It writes 64 KiB a second, so that a round brings
 * some pages, and a switch is foreseen to take some ms.
 */
const MiB = 1024 * 1024
const bandwidth = 16 * MiB
const nature: MockOptions = {
  size: '16MiB',
  dirty: '64KiB/s',
  reinit: true,
  latency: {
    SUSPEND_INITIATOR: '1ms',
    SUSPEND_RESPONDER: '1ms',
    RESUME_RESPONDER: '1ms',
    RESUME_INITIATOR: '1ms',
  },
}

interface Pair {
  readonly clock: VirtualClock
  readonly source: MockDevice
  readonly target: MockDevice
  readonly from: Device
  readonly to: Device
}

async function pair(changes: MockOptions = {}, clock = new VirtualClock()): Promise<Pair> {
  const source = new MockDevice({ ...nature, ...changes, clock, name: 'source', seed: 1n })
  const target = new MockDevice({ ...nature, ...changes, clock, name: 'target', seed: 2n })
  return { clock, source, target, from: await openDevice(source), to: await openDevice(target) }
}

/** Begins anew between its last image and the switch: when the participant lets go of it, nothing is asked any more. */
function beginsAnew(source: MockDevice): MigrateOptions['participant'] & object {
  return { quiesce: () => source.reinit() }
}

async function overrunOf(options: MigrateOptions): Promise<{ cause: VfioError; report: MigrationReport }> {
  const error: unknown = await migrate(options).then(
    () => assert.fail('it happened'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof MigrationError, String(error))
  const cause = error.cause as VfioError
  assert.equal(cause.code, 'ERR_VFIO_OVERRUN', String(cause))
  return { cause, report: error.report }
}

/** How long it stood in ms, by what it wrote before and after. */
async function pauseOf({ source, clock }: Pair): Promise<number> {
  await clock.sleep(1000)
  const [before, after] = source.runLog.slice(-2)
  assert.ok(before && after)
  return Number(after.beginNs - before.endNs) / 1e6
}

describe('what devices that stand have announced', () => {
  // 1 MB over 10 MB/s: 100 ms and some for the arcs, where 150 are wanted and 225 are too many.
  const estimator = new Estimator(
    [{ precopy: 'none', stateBytes: 1e6, arcMs: 1, stopArcs: 2, startArcs: 2 }],
    { bandwidth: 1e7 },
  )
  const predicted = estimator.predict(0)
  const steered = {
    decision: 'switch',
    why: '',
    limitMs: 150,
    atMs: 0,
    predicted,
    rounds: 0,
    history: [],
  } as const
  const weighed = (stopArcsMs: number, bytes: number): unknown =>
    overrun(estimator, steered, { stopArcsMs, announced: [{ bytes, atMs: stopArcsMs + 1 }] })?.announcedBytes

  it('turns them back where that alone is too much', () => assert.equal(weighed(2, 3e6), 3e6))

  it('lets them go on where it is little more than was foreseen', () =>
    assert.equal(weighed(2, 1.2e6), undefined))

  it('lets them go on where it was their stop that took the time: going back would take as much', () =>
    assert.equal(weighed(115, 1.1e6), undefined))
})

describe('a device that has far more to give than was foreseen, once it stands', () => {
  it('runs again, before anything of it is sent that takes time', async () => {
    const one = await pair()
    const { from, to, source, target } = one
    const { cause, report } = await overrunOf({ from, to, bandwidth, participant: beginsAnew(source) })
    assert.deepEqual([report.outcome, source.state, source.seed], ['source', 'RUNNING', 1n])
    assert.deepEqual([target.state, target.seed], ['RUNNING', 2n])
    assert.equal(cause.device, 'source')
    const pauseMs = await pauseOf(one)
    assert.ok(pauseMs < 10, `${pauseMs} ms`)
    const { pausedMs = NaN } = report
    assert.ok(pausedMs >= pauseMs && pausedMs < 10, `${pausedMs} ms, where it was ${pauseMs}`)
  })

  it('is told of with what it has, what was foreseen, and what can be done', async () => {
    const { from, to, source } = await pair()
    const { cause, report } = await overrunOf({ from, to, bandwidth, participant: beginsAnew(source) })
    const words =
      /^'source' announces (\d+) bytes now that it stands, where (\d+) were foreseen: (\d+) ms of downtime, 300 ms wanted\. .*downtimeLimitMs, or onOverrun 'switch'$/
    const [, announced = 0, foreseen = 0, ms = 0] = (
      words.exec(cause.message) ?? assert.fail(cause.message)
    ).map(Number)
    assert.ok(announced > 16 * MiB && announced < 16 * MiB + 4096, cause.message)
    assert.ok(foreseen < MiB, cause.message)
    assert.ok(ms > 950 && ms < 1100, cause.message)
    assert.ok((report.predicted?.downtimeMs ?? Infinity) < 300)
  })

  it('is seen by the first of the chunks that makes too many of them', async () => {
    const one = await pair({ chunkSize: '1MiB' })
    const { from, to, source } = one
    await overrunOf({ from, to, bandwidth, participant: beginsAnew(source) })
    // 450 ms are seven of sixteen chunks, and some are read before there is room for them.
    const pauseMs = await pauseOf(one)
    assert.ok(pauseMs < 450, `${pauseMs} ms`)
    assert.equal(source.state, 'RUNNING')
  })

  it('takes the others of its set back with it', async () => {
    const clock = new VirtualClock()
    const [one, other] = [await pair({}, clock), await pair({}, clock)]
    const { cause } = await overrunOf({
      from: [one.from, other.from],
      to: [one.to, other.to],
      bandwidth,
      participant: beginsAnew(other.source),
    })
    assert.equal(cause.device, other.from.name)
    const states = [one, other].flatMap(({ source, target }) => [source.state, target.state])
    assert.deepEqual(states, ['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING'])
  })

  it('leaves a lent destination in RESUMING', async () => {
    const { from, to, source } = await pair({ origin: 'lent' })
    const { report } = await overrunOf({ from, to, bandwidth, participant: beginsAnew(source) })
    const { destination } = report.devices[0] ?? assert.fail()
    assert.deepEqual([destination.state, destination.recovery], ['RESUMING', 'reset'])
  })

  it('does not wait for a participant that hangs, and calls it for one moment after another', async () => {
    const one = await pair()
    const { from, to, source } = one
    const calls: string[] = []
    const stopped = async ({ signal }: { signal: AbortSignal }): Promise<undefined> => {
      calls.push('stopped')
      await new Promise(resolve => signal.addEventListener('abort', resolve))
    }
    const participant = { ...beginsAnew(source), stopped, resumed: () => void calls.push('resumed') }
    await overrunOf({ from, to, bandwidth, participant })
    assert.deepEqual(calls, ['stopped', 'resumed'])
    const pauseMs = await pauseOf(one)
    assert.ok(pauseMs < 10, `${pauseMs} ms`)
  })

  it('is moved all the same where that is wanted', async () => {
    const { from, to, source, target } = await pair()
    const participant = beginsAnew(source)
    const { downtimeMs } = await migrate({ from, to, bandwidth, participant, onOverrun: 'switch' })
    assert.ok(downtimeMs > 950, `${downtimeMs} ms`)
    assert.deepEqual([target.state, target.seed], ['RUNNING', 1n])
  })

  it('is moved within one and a half times the limit', async () => {
    const { from, to, source, target } = await pair()
    await migrate({ from, to, bandwidth, participant: beginsAnew(source), downtimeLimitMs: 800 })
    assert.equal(target.seed, 1n)
  })

  const forced: readonly [string, Partial<MigrateOptions>][] = [
    ['by the number of rounds', { maxRounds: 3 }],
    ['by a deadline', { deadlineMs: 1500, maxRounds: 1000, downtimeLimitMs: 0.001 }],
    ['by a stall', { downtimeLimitMs: 0.001 }],
    ['by a stop rule that promises nothing', { policy: ({ round }) => (round < 3 ? 'continue' : 'switch') }],
  ]
  for (const [how, options] of forced) {
    it(`is moved where it was switched ${how}`, async () => {
      const { from, to, source, target } = await pair()
      await migrate({ from, to, bandwidth, participant: beginsAnew(source), ...options })
      assert.equal(target.seed, 1n)
    })
  }

  it('runs again for a stop rule that tells its limit', async () => {
    const { from, to, source } = await pair()
    const policy: MigrateOptions['policy'] = ({ round }) =>
      round < 3 ? 'continue' : { decision: 'switch', why: 'three are enough', limitMs: 100 }
    const { cause } = await overrunOf({ from, to, bandwidth, participant: beginsAnew(source), policy })
    assert.match(cause.message, / 100 ms wanted/)
  })

  it('can be moved a second time', async () => {
    const { from, to, source, target } = await pair()
    await overrunOf({ from, to, bandwidth, participant: beginsAnew(source) })
    const { outcome, downtimeMs } = await migrate({ from, to, bandwidth })
    assert.deepEqual([outcome, target.seed], ['destination', 1n])
    assert.ok(downtimeMs < 300, `${downtimeMs} ms`)
  })
})
