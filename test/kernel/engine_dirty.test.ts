// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, MigrationError, type DirtyPages, type DmaLoggingOptions } from '#lib/index.js'
import { openBottledPair, type BottledPair } from './bottle.ts'
import type { BottledFunction } from './bottled.ts'
import { checkReport, commandsNamed, lastEnd, firstBegin } from './engine.ts'

const page = 4096
const pages = 1000
const half = BigInt((pages / 2) * page)

/** Two ranges, which together have a page of memory for each page of the state. */
const ranges = [
  { iova: 0n, length: half },
  { iova: half, length: half },
]

/** The I/O pages that are written in a report, by number. */
function pagesIn({ range, pageSize, bitmap }: DirtyPages): number[] {
  const first = Number(range.iova) / pageSize
  const isSet = (bit: number): boolean => ((bitmap[bit >> 6] ?? 0n) & (1n << BigInt(bit & 63))) !== 0n
  return Array.from({ length: bitmap.length * 64 }, (_, bit) => bit)
    .filter(isSet)
    .map(bit => first + bit)
}

const upTo = (end: number, first = 0): number[] =>
  Array.from({ length: end - first }, (_, index) => first + index)

async function openLogged(): Promise<BottledPair> {
  return await openBottledPair({ size: pages * page, capabilities: { adv_virtualization: true } })
}

/** The reports of a device, and steps of its workload after each: its firmware writes one page a step, in their order. */
function logOf(
  bottled: BottledFunction,
  steps: number,
): { reports: DirtyPages[]; options: DmaLoggingOptions } {
  const reports: DirtyPages[] = []
  return {
    reports,
    options: {
      pageSize: page,
      ranges,
      async onDirty(dirty) {
        reports.push(dirty)
        if (!dirty.isLast && dirty.range === ranges.at(-1)) await bottled.step(steps)
      },
    },
  }
}

describe('migrate() of a bottled mlx5 function whose DMA is logged', () => {
  it('tells of every page that was written, once, and of the last ones when it stands', async () => {
    await using pair = await openLogged()
    const { bottle, from, to, source, destination } = pair
    const steps = 90
    const { reports, options } = logOf(from, steps)
    const report = await migrate({
      from: source,
      to: destination,
      dmaLogging: options,
      policy: ({ round }) => (round < 6 ? 'continue' : 'switch'),
      // It writes until it stands.
      participant: { quiesce: () => from.step(5) },
    })
    checkReport(report)
    assert.deepEqual(await to.digest(), await from.digest())
    assert.equal(await from.epoch(), BigInt(6 * steps + 5))

    const rounds = reports.filter(({ isLast }) => !isLast)
    const last = reports.filter(({ isLast }) => isLast)
    assert.deepEqual([rounds.length, last.length], [6 * ranges.length, ranges.length])
    assert.deepEqual(rounds.flatMap(pagesIn), upTo(5 * steps))
    assert.deepEqual(last.flatMap(pagesIn), upTo(6 * steps + 5, 5 * steps))
    assert.ok(reports.every(({ device, pageSize }) => device === source && pageSize === page))
    // The last question came when nothing could be written any more.
    const asked = (await commandsNamed('LOG_REPORT', [from])).slice(-ranges.length)
    assert.ok(firstBegin(asked) >= lastEnd(await commandsNamed('SUSPEND_RESPONDER', [from])))
    assert.deepEqual(await bottle.objects(), { pds: 0, mkeys: 0 })
    await assert.rejects(source.dmaLogging.report({ iova: 0n, length: half, pageSize: page }), {
      code: 'EINVAL',
    })
  })

  it('is taken back when the log breaks, and logs no more', async () => {
    await using pair = await openLogged()
    const { from, source, destination } = pair
    await from.step(7)
    const before = await from.digest()
    for (const [on, code] of [
      ['LOG_START', 'ENOMEM'],
      ['LOG_REPORT', 'ENOMEM'],
      ['TRACKER', 'EIO'],
    ] as const) {
      await from.fault(on, { status: on === 'TRACKER' ? 1 : 8 })
      const { options } = logOf(from, 0)
      const migration = migrate({ from: source, to: destination, dmaLogging: options })
      await assert.rejects(migration, error => {
        assert.ok(error instanceof MigrationError, String(error))
        assert.equal((error.cause as { code?: string }).code, code)
        assert.equal(error.report.outcome, 'source')
        return true
      })
      assert.deepEqual(await from.pendingFaults(), [])
      assert.deepEqual(await from.digest(), before)
      assert.deepEqual([await source.state(), await destination.state()], ['RUNNING', 'RUNNING'])
      await source.dmaLogging.start({ pageSize: page, ranges })
      await source.dmaLogging.stop()
    }
  })
})
