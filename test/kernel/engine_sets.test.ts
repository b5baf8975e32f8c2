// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import {
  migrate,
  MigrationError,
  type MigrateOptions,
  type MigrationReport,
  type StateName,
} from '#lib/index.js'
import type { BottledFunction, Digest, Outcome, Point } from './bottled.ts'
import {
  checkOneOwner,
  checkReport,
  commandsNamed,
  firstBegin,
  lastEnd,
  openBottledSet,
  type BottledSet,
} from './engine.ts'
import { openMtty, openPair } from './opened.ts'
import { readPort, writePort } from './uart.ts'

const mebibyte = 2 ** 20
const size = 64 * 2 ** 10
const slowMicroseconds = 300_000

const digests = async (functions: readonly BottledFunction[]): Promise<Digest[]> =>
  await Promise.all(functions.map(bottled => bottled.digest()))

const states = async ({ sources, destinations }: BottledSet): Promise<StateName[]> =>
  await Promise.all([...sources, ...destinations].map(device => device.state()))

/** Every state has arrived, and each had one owner at a time. */
async function checkArrived({ from, to }: BottledSet): Promise<void> {
  const left = await digests(from)
  assert.deepEqual(await digests(to), left)
  for (const bottled of to) await bottled.step(1)
  for (const [index, { seed }] of left.entries()) {
    const pair = [from[index], to[index]].filter(bottled => bottled !== undefined)
    await checkOneOwner(seed, pair)
  }
}

/** Goes through with it also where the machine is so slow that devices stand for longer than is wanted of them. */
async function migrateAll(
  { sources, destinations }: BottledSet,
  options: Partial<MigrateOptions> = {},
): Promise<MigrationReport> {
  return await migrate({ from: sources, to: destinations, onOverrun: 'switch', ...options })
}

/** A set of which the second device fails; answers what the migration had to say. */
async function failSecond(set: BottledSet, options: Partial<MigrateOptions> = {}): Promise<MigrationError> {
  const error: unknown = await migrateAll(set, options).then(
    () => assert.fail('it migrated'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof MigrationError, String(error))
  return error
}

describe('migrate() of two bottled mlx5 functions of one physical function', () => {
  it('stops none before both have stopped talking, and runs none loose before both listen', async () => {
    await using set = await openBottledSet({ size: mebibyte, rate: mebibyte / 4 })
    const { from, to, sources, destinations } = set
    await from[1]?.set({ latency: { SUSPEND_INITIATOR: slowMicroseconds } })
    await to[1]?.set({ latency: { RESUME_RESPONDER: slowMicroseconds } })
    const report = await migrate({ from: sources, to: destinations })
    checkReport(report)
    await checkArrived(set)
    assert.equal(report.devices.length, 2)
    assert.deepEqual(await states(set), ['STOP', 'STOP', 'RUNNING', 'RUNNING'])

    const quiet = await commandsNamed('SUSPEND_INITIATOR', from)
    const stopped = await commandsNamed('SUSPEND_RESPONDER', from)
    assert.deepEqual([quiet.length, stopped.length], [2, 2])
    assert.ok(firstBegin(stopped) >= lastEnd(quiet))
    const listening = await commandsNamed('RESUME_RESPONDER', to)
    const loose = await commandsNamed('RESUME_INITIATOR', to)
    assert.deepEqual([listening.length, loose.length], [2, 2])
    assert.ok(firstBegin(loose) >= lastEnd(listening))
    // All that the one gives is loaded before the other runs.
    assert.ok(firstBegin(listening) >= lastEnd(await commandsNamed('LOAD', to)))
    assert.ok(report.downtimeMs >= (2 * slowMicroseconds) / 1000)
  })

  it('does not wait for the P2P state of both when they do no DMA to each other', async () => {
    await using set = await openBottledSet({ size })
    const { from, sources, destinations } = set
    await from[1]?.set({ latency: { SUSPEND_INITIATOR: slowMicroseconds } })
    checkReport(await migrate({ from: sources, to: destinations, noP2pDma: true }))
    await checkArrived(set)
    const [fast, slow] = [from.slice(0, 1), from.slice(1)]
    const stopped = await commandsNamed('SUSPEND_RESPONDER', fast)
    assert.equal(stopped.length, 1)
    assert.ok(firstBegin(stopped) < lastEnd(await commandsNamed('SUSPEND_INITIATOR', slow)))
  })

  it('is refused above the limit of one physical function, and not begun', async () => {
    await using set = await openBottledSet({ size })
    const { from, to, sources, destinations } = set
    const before = await Promise.all([...from, ...to].map(bottled => bottled.commandNames()))
    await assert.rejects(migrate({ from: sources, to: destinations, perPfLimit: 1 }), {
      code: 'ERR_VFIO_REFUSED',
      message: /too-many-of-one-pf/,
    })
    assert.deepEqual(await states(set), ['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING'])
    const after = await Promise.all([...from, ...to].map(bottled => bottled.commandNames()))
    assert.ok(after.flat().every(name => name === 'QUERY' || name === 'QUERY_HCA_CAP'))
    assert.ok(after.flat().length >= before.flat().length)
  })
})

describe('migrate() of two bottled mlx5 functions, one of which fails', () => {
  /** What is put on the second one of a side, and what it leaves that one's source with. */
  const failures: readonly {
    readonly what: string
    readonly side: 'from' | 'to'
    readonly on: Point
    readonly outcome: Outcome
    readonly nth?: number
    readonly code: string
    readonly left: 'as it was' | 'reset'
  }[] = [
    {
      what: 'to stop talking',
      side: 'from',
      on: 'SUSPEND_INITIATOR',
      outcome: { status: 6 },
      code: 'EBUSY',
      left: 'as it was',
    },
    {
      what: 'to stop',
      side: 'from',
      on: 'SUSPEND_RESPONDER',
      outcome: { status: 6 },
      code: 'EBUSY',
      left: 'reset',
    },
    {
      what: 'to give its initial image',
      side: 'from',
      on: 'SAVE',
      outcome: { status: 1 },
      code: 'ENODEV',
      left: 'reset',
    },
    {
      what: 'to give its final image',
      side: 'from',
      on: 'SAVE',
      outcome: { status: 1 },
      nth: 2,
      code: 'ENODEV',
      left: 'as it was',
    },
    // Of a destination the first SUSPEND leads it out of RUNNING.
    {
      what: 'to make room',
      side: 'to',
      on: 'SUSPEND_INITIATOR',
      outcome: { status: 6 },
      code: 'EBUSY',
      left: 'as it was',
    },
    {
      what: 'to take the initial image',
      side: 'to',
      on: 'LOAD',
      outcome: { status: 1 },
      code: 'EIO',
      left: 'as it was',
    },
    {
      what: 'to take the final image',
      side: 'to',
      on: 'LOAD',
      outcome: { status: 1 },
      nth: 2,
      code: 'EIO',
      left: 'as it was',
    },
  ]

  for (const { what, side, on, outcome, nth = 1, code, left } of failures) {
    it(`${what}: ${left === 'reset' ? 'the other source goes on' : 'both sources go on as if nothing had been'}`, async () => {
      await using set = await openBottledSet({ size })
      const { from, to } = set
      const blank = await digests(from)
      for (const [index, bottled] of from.entries()) await bottled.step(7 + index)
      const before = await digests(from)
      await set[side][1]?.fault(on, outcome, nth)
      const { cause, report } = await failSecond(set)
      assert.equal((cause as { code?: string }).code, code)
      assert.deepEqual(await set[side][1]?.pendingFaults(), [])
      assert.equal(report.outcome, 'source')
      assert.deepEqual(await states(set), ['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING'])
      assert.deepEqual(await digests(from), left === 'reset' ? [before[0], blank[1]] : before)
      assert.deepEqual(
        report.devices.map(({ source }) => source.wasReset),
        [false, left === 'reset'],
      )
      for (const bottled of from) assert.ok(await bottled.isRunning())
      // Nothing of the sources' ever ran where it was to go.
      const seeds = new Set(before.map(({ seed }) => seed))
      for (const bottled of to) assert.ok((await bottled.runs()).every(({ seed }) => !seeds.has(seed)))
      for (const bottled of from) await bottled.step(1)
      await checkOneOwner(before[0]?.seed ?? 0n, from)
      // And it can be tried again.
      checkReport(await migrateAll(set))
      assert.deepEqual(await digests(to), await digests(from))
    })
  }

  it('to let its destination run, as the other one does too: both sources go on', async () => {
    await using set = await openBottledSet({ size })
    const { from, to } = set
    for (const bottled of from) await bottled.step(7)
    const before = await digests(from)
    for (const bottled of to) await bottled.fault('RESUME_RESPONDER', { status: 6 })
    const { cause, report } = await failSecond(set)
    assert.deepEqual([(cause as { code?: string }).code, report.outcome], ['EBUSY', 'source'])
    assert.deepEqual(await states(set), ['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING'])
    assert.deepEqual(await digests(from), before)
    assert.deepEqual(await commandsNamed('RESUME_INITIATOR', to), [])
    for (const bottled of from) await bottled.step(1)
    for (const [index, { seed }] of before.entries()) await checkOneOwner(seed, [...from.slice(index), ...to])
  })

  it("to let its destination run when the other one may: both are the destination's, and can be led on", async () => {
    await using set = await openBottledSet({ size })
    const { from, to, destinations } = set
    for (const bottled of from) await bottled.step(7)
    const before = await digests(from)
    await to[1]?.fault('RESUME_RESPONDER', { status: 6 })
    const { cause, report } = await failSecond(set)
    assert.deepEqual([(cause as { code?: string }).code, report.outcome], ['EBUSY', 'destination'])
    assert.deepEqual(await states(set), ['STOP', 'STOP', 'RUNNING_P2P', 'STOP'])
    assert.ok(report.devices.every(({ destination }) => destination.error && !destination.wasReset))
    assert.deepEqual([await digests(from), await digests(to)], [before, before])
    for (const device of destinations) await device.setState('RUNNING')
    await checkArrived(set)
  })

  it("leaves the destinations as they are where onStuck is 'leave'", async () => {
    await using set = await openBottledSet({ size })
    const { from, to } = set
    const resets = await Promise.all(to.map(bottled => bottled.resets()))
    const before = await digests(from)
    await to[1]?.fault('LOAD', { status: 1 }, 2)
    const { report, recovery } = await failSecond(set, { onStuck: 'leave' })
    assert.equal(recovery, 'reset')
    assert.deepEqual(await digests(from), before)
    const [sourceStates, destinationStates] = [(await states(set)).slice(0, 2), (await states(set)).slice(2)]
    assert.deepEqual(sourceStates, ['RUNNING', 'RUNNING'])
    // The first one may have been complete before the second one failed.
    assert.equal(destinationStates[1], 'RESUMING')
    assert.ok(['RESUMING', 'STOP'].includes(destinationStates[0] ?? ''))
    assert.deepEqual(await Promise.all(to.map(bottled => bottled.resets())), resets)
    assert.ok(report.devices.every(({ destination }) => !destination.wasReset))
  })
})

describe('migrate() of two mtty devices', () => {
  it('moves both as one', async () => {
    await using one = await openPair('mtty-1')
    await using two = await openPair('mtty-2')
    await writePort(one.source, 0, { scratch: 0x11, fifo: [1] })
    await writePort(two.source, 1, { scratch: 0x22, fifo: [2, 3] })
    const from = [one.source, two.source]
    const to = [one.destination, two.destination]
    const report = await migrate({ from, to })
    checkReport(report)
    assert.deepEqual(
      report.devices.map(({ bytes }) => bytes),
      [60, 96],
    )
    // Both are in PRE_COPY_P2P before the one goes on: a path of each is one SET after another.
    for (const { source } of report.devices)
      assert.deepEqual(
        source.arcs.map(({ to }) => to),
        ['PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY', 'STOP'],
      )
    assert.deepEqual(await readPort(one.destination, 0), { scratch: 0x11, fifo: [1] })
    assert.deepEqual(await readPort(two.destination, 1), { scratch: 0x22, fifo: [2, 3] })
  })

  it('moves neither when the one is refused by its destination', async () => {
    await using one = await openPair('mtty-1')
    await using two = await openPair('mtty-2')
    await using other = await openMtty('mtty-1')
    await writePort(one.source, 0, { scratch: 0x11, fifo: [1] })
    await writePort(two.source, 1, { scratch: 0x22, fifo: [2, 3] })
    const from = [one.source, two.source]
    const to = [one.destination, other.device]
    await assert.rejects(migrate({ from, to }), { code: 'ERR_VFIO_REFUSED', message: /mdev-type-differs/ })
    const overridden = migrate({ from, to, overrides: ['mdev-type-differs'] })
    await assert.rejects(overridden, error => {
      assert.ok(error instanceof MigrationError)
      assert.equal((error.cause as { code?: string }).code, 'EFAULT')
      assert.equal(error.report.outcome, 'source')
      return true
    })
    for (const device of [...from, ...to]) assert.equal(await device.state(), 'RUNNING')
    assert.deepEqual(await readPort(one.source, 0), { scratch: 0x11, fifo: [1] })
    assert.deepEqual(await readPort(two.source, 1), { scratch: 0x22, fifo: [2, 3] })
  })
})
