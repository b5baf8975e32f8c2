// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import {
  migrate,
  MigrationError,
  openDevice,
  type Device,
  type MigrationReport,
  type Policy,
} from '#lib/index.js'
import { MockDevice, VirtualClock, type Fault } from '#lib/mock/index.js'
import { openBottledPair, type BottledPair } from './bottle.ts'
import { isAtLeast } from './release.ts'

const size = 64 * 1024
const howMany = 50
const seed = 20_261_121

/** One cell of the matrix of test/matrix, as the driver itself can have it. */
interface Case {
  readonly side: 'source' | 'destination'
  readonly on:
    | 'SUSPEND_INITIATOR'
    | 'SUSPEND_RESPONDER'
    | 'RESUME_RESPONDER'
    | 'RESUME_INITIATOR'
    | 'QUERY'
    | 'SAVE'
    | 'LOAD'
  readonly nth: number
  readonly outcome: { readonly status: number } | { readonly errno: 'ETIMEDOUT' | 'ENOLINK' }
  readonly precopy: boolean
  readonly onStuck: 'reset' | 'leave'
}

/** How a migration ended, without what depends on time. */
interface End {
  readonly outcome: string
  readonly cause: string | undefined
  readonly source: readonly unknown[]
  readonly destination: readonly unknown[]
}

const points: Readonly<Record<Case['side'], readonly (readonly [Case['on'], number])[]>> = {
  source: [
    ['SUSPEND_INITIATOR', 1],
    ['SUSPEND_RESPONDER', 1],
    ['QUERY', 6],
    ['SAVE', 3],
  ],
  destination: [
    ['SUSPEND_INITIATOR', 1],
    ['SUSPEND_RESPONDER', 1],
    ['QUERY', 1],
    ['LOAD', 3],
    ['RESUME_RESPONDER', 1],
    ['RESUME_INITIATOR', 1],
  ],
}

const outcomes = [
  { status: 1 },
  { status: 6 },
  { status: 9 },
  { errno: 'ETIMEDOUT' },
  { errno: 'ENOLINK' },
] as const

function allCases(): Case[] {
  return (['source', 'destination'] as const).flatMap(side =>
    points[side].flatMap(([on, most]) =>
      Array.from({ length: most }, (_, index) => index + 1).flatMap(nth =>
        outcomes.flatMap(outcome =>
          [true, false].flatMap(precopy =>
            (['reset', 'leave'] as const).map(onStuck => ({ side, on, nth, outcome, precopy, onStuck })),
          ),
        ),
      ),
    ),
  )
}

/** Pre-copy that is silently given up: the image that was promised is waited for ten seconds. Others have that. */
function waits({ on, outcome, precopy }: Case): boolean {
  return on === 'SAVE' && precopy && 'status' in outcome && outcome.status === 9
}

/** The same ones every time. */
function sample(cases: readonly Case[]): Case[] {
  let state = seed
  const next = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0)
  const drawn = cases.filter(one => !waits(one)).map(one => ({ one, rank: next() }))
  return drawn.sort((a, b) => a.rank - b.rank).map(({ one }) => one)
}

/** Two rounds, with three steps of the workload between them: nothing is decided by time. */
function twoRounds(step: () => void): Policy {
  return ({ round }) => {
    if (round === 1) step()
    return round < 2 ? 'continue' : 'switch'
  }
}

async function endOf(given: Case, from: Device, to: Device, step: () => void): Promise<End> {
  const { precopy, onStuck } = given
  const migration = migrate({ from, to, precopy, onStuck, policy: twoRounds(step) })
  const { report, cause } = await migration.then(
    report => ({ report, cause: undefined }),
    (error: unknown) => {
      assert.ok(error instanceof MigrationError, String(error))
      return { report: error.report, cause: (error.cause as NodeJS.ErrnoException).code }
    },
  )
  return {
    outcome: report.outcome,
    cause,
    source: sideOf(report, 'source'),
    destination: sideOf(report, 'destination'),
  }
}

function sideOf({ devices: [pair] }: MigrationReport, which: Case['side']): unknown[] {
  const { state, wasReset, recovery, error, arcs } = pair?.[which] ?? assert.fail()
  return [
    state,
    wasReset,
    recovery,
    (error as NodeJS.ErrnoException | undefined)?.code,
    arcs.map(({ to }) => to),
  ]
}

/** Undefined where the mock never comes to that: then the driver does not either. */
async function onMocks(given: Case): Promise<End | undefined> {
  const { side, on, nth, outcome } = given
  const clock = new VirtualClock()
  const common = { clock, size, kernel: isAtLeast(7, 0) ? '7.2' : '6.12' } as const
  const mocks = { source: new MockDevice(common), destination: new MockDevice(common) }
  await using from = await openDevice(mocks.source)
  await using to = await openDevice(mocks.destination)
  const fault: Fault = { on, nth, ...outcome }
  mocks[side].inject(fault)
  const end = await endOf(given, from, to, () => mocks.source.step(3))
  return mocks[side].unusedFaults().length === 0 ? end : undefined
}

describe('a sample of the failures of a migration', () => {
  let pair: BottledPair

  before(async () => {
    pair = await openBottledPair({ size })
  })
  after(async () => await pair[Symbol.asyncDispose]())

  async function onDriver(given: Case): Promise<End> {
    const { from, to, source, destination } = pair
    const struck = { source: from, destination: to }[given.side]
    await struck.fault(given.on, given.outcome, given.nth)
    const step = (): void => {
      writeFileSync(`/sys/kernel/debug/vfio_migrate_firmware/${from.address}/step`, '3')
    }
    const end = await endOf(given, source, destination, step)
    assert.deepEqual(await struck.pendingFaults(), [])
    for (const device of [source, destination]) await makeReady(device)
    return end
  }

  it(`ends as with mocks: ${howMany} cases, drawn once and for all`, async function () {
    this.timeout(240_000)
    let count = 0
    for (const given of sample(allCases())) {
      const expected = await onMocks(given)
      if (expected === undefined) continue
      assert.deepEqual(await onDriver(given), expected, JSON.stringify(given))
      if (++count === howMany) break
    }
    assert.equal(count, howMany)
    assert.deepEqual(await pair.bottle.objects(), { pds: 0, mkeys: 0 })
  })
})

/** For the next case; a reset takes 100 ms and more. */
async function makeReady(device: Device): Promise<void> {
  const isBack = await device.setState('RUNNING').then(
    () => true,
    () => false,
  )
  if (!isBack) await device.reset()
}
