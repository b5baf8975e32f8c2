// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate, type Device, type MigrationReport } from '#lib/index.js'
import { fletcher128 } from '../fletcher128.ts'
import { openBottledPair, type BottledPair } from './bottle.ts'
import type { BottledFunction } from './bottled.ts'
import {
  bytesOf,
  checkOneOwner,
  checkReport,
  commandsNamed,
  crc32Of,
  firstBegin,
  lastEnd,
  tapOf,
} from './engine.ts'
import { isAtLeast } from './release.ts'

const kibibyte = 2 ** 10
const mebibyte = 2 ** 20
const page = 4096
const headerBytes = 80
const recordBytes = 16
/** Record 0, which tells how much memory the destination is to set aside. */
const firstRecordBytes = 24

/** The state has arrived, it has had one owner at a time, and the destination goes on where the source stopped. */
async function checkArrived({ from, to }: Pick<BottledPair, 'from' | 'to'>): Promise<void> {
  const left = await from.digest()
  assert.deepEqual(await to.digest(), left)
  assert.deepEqual([await from.isRunning(), await to.isRunning()], [false, true])
  await to.step(1)
  await checkOneOwner(left.seed, [from, to])
}

/** What was moved, by the log of the firmware that loaded it: images, the header of each, and the record before them. */
async function streamBytes(to: BottledFunction): Promise<number> {
  const images = bytesOf(await commandsNamed('LOAD', [to]))
  return images.reduce((sum, bytes) => sum + recordBytes + bytes, firstRecordBytes)
}

const milliseconds = (nanoseconds: bigint): number => Number(nanoseconds) / 1e6

function tell({ rounds, predicted, downtimeMs, downtime, totalMs }: MigrationReport): void {
  const ms = (value = NaN): string => `${value.toFixed(0)} ms`
  const foreseen = rounds.map(({ predicted }) => ms(predicted.downtimeMs)).join(', ')
  console.log(
    `      ${rounds.length} rounds foresaw ${foreseen}; ${ms(predicted?.downtimeMs)} (worst ${ms(predicted?.worstMs)}) became ${ms(downtimeMs)} of ${ms(totalMs)}`,
  )
  console.log(`      ${JSON.stringify(downtime)}`)
}

describe('migrate() of a bottled mlx5 function', () => {
  it('moves 64 MiB under a workload in rounds until it may stop, and foresees for how long', async () => {
    await using pair = await openBottledPair({
      size: 64 * mebibyte,
      rate: 2 * mebibyte,
      latency: { SUSPEND_INITIATOR: 20_000, SUSPEND_RESPONDER: 20_000, SAVE: 30_000, LOAD: 40_000 },
    })
    const { from, to, source, destination } = pair
    await to.set({ rate: 0 })
    const tap = tapOf(destination)
    const { onProgress } = tap
    // So slow, and the limit so far off, that link and workload decide how many rounds there are, and not the machine below.
    const bandwidth = 12 * mebibyte
    const downtimeLimitMs = 1500
    const report = await migrate({ from: source, to: destination, bandwidth, downtimeLimitMs, onProgress })
    tell(report)
    checkReport(report)
    await checkArrived(pair)
    const [moved] = report.devices
    assert.deepEqual([moved?.bytes, moved?.digest], [tap.bytes().length, crc32Of(tap.bytes())])
    assert.equal(moved?.bytes, await streamBytes(to))

    const { rounds, downtime, downtimeMs } = report
    assert.ok(rounds.length >= 3, `${rounds.length} rounds`)
    assert.ok(rounds[0] && rounds[0].bytes > 64 * mebibyte)
    assert.ok(rounds.slice(1).every(({ bytes }) => bytes < 32 * mebibyte))
    assert.ok((rounds.at(-1)?.predicted.downtimeMs ?? NaN) <= downtimeLimitMs)
    const precopyMs = report.phases.find(({ phase }) => phase === 'precopy')?.ms ?? NaN
    assert.ok(precopyMs >= (1000 * report.precopyBytes) / bandwidth, `${precopyMs} ms of pre-copy`)
    // A guest has seconds that are longer than others; what was foreseen is of the right order all the same.
    const foreseen = report.predicted?.downtimeMs ?? NaN
    assert.ok(downtimeMs > foreseen / 3 && downtimeMs < 3 * foreseen, `${foreseen} became ${downtimeMs} ms`)
    // What the firmware measured of it: everything between its commands is the engine's, and little.
    const stopped = firstBegin(await commandsNamed('SUSPEND_INITIATOR', [from]))
    const ran = lastEnd(await commandsNamed('RESUME_INITIATOR', [to]))
    assert.ok(downtimeMs >= milliseconds(ran - stopped))
    assert.ok(downtime && downtime.stopArcsMs >= 40 && downtime.saveMs + downtime.stopArcsMs >= 70)
    assert.ok(downtime.loadMs >= 0 && downtime.linkMs + downtime.loadMs >= 40)
  })

  it('cuts the round short that is under way at the deadline, and asks for no other: the rest of its image comes first', async () => {
    await using pair = await openBottledPair({ size: 8 * mebibyte, rate: mebibyte })
    const { from, to, source, destination } = pair
    await to.set({ rate: 0 })
    const tap = tapOf(destination)
    const { onProgress } = tap
    const bandwidth = 4 * mebibyte
    const report = await migrate({ from: source, to: destination, bandwidth, deadlineMs: 1000, onProgress })
    tell(report)
    checkReport(report)
    await checkArrived(pair)
    const [moved] = report.devices
    assert.ok(moved)
    const [cut] = moved.samples
    assert.deepEqual([moved.samples.length, cut?.cut, moved.gaveUpPrecopy], [1, true, false])
    assert.ok(cut && cut.bytes > 0 && cut.bytes < cut.initialBytes)
    assert.deepEqual([moved.bytes, moved.digest], [tap.bytes().length, crc32Of(tap.bytes())])
    const saves = await commandsNamed('SAVE', [from])
    assert.deepEqual(
      saves.map(({ fields }) => [fields.incremental, fields.track]),
      [
        ['0', '1'],
        ['1', '0'],
      ],
    )
  })

  it('without pre-copy moves everything while the source stands', async () => {
    await using pair = await openBottledPair({ size: mebibyte, rate: mebibyte })
    const { from, to, source, destination } = pair
    await to.set({ rate: 0 })
    const tap = tapOf(destination)
    const { onProgress } = tap
    const report = await migrate({ from: source, to: destination, precopy: false, onProgress })
    checkReport(report)
    await checkArrived(pair)
    assert.deepEqual([report.rounds, report.precopyBytes], [[], 0])
    // From lane to lane.
    assert.deepEqual(
      report.devices.map(({ digest }) => digest),
      [fletcher128(tap.bytes())],
    )
    assert.equal(report.bytes, firstRecordBytes + recordBytes + headerBytes + mebibyte)
    assert.deepEqual(bytesOf(await commandsNamed('LOAD', [to])), [headerBytes + mebibyte])
    const saves = await commandsNamed('SAVE', [from])
    assert.deepEqual(
      saves.map(({ fields }) => [fields.incremental, fields.track]),
      [['0', '0']],
    )
    assert.ok(firstBegin(saves) >= lastEnd(await commandsNamed('SUSPEND_RESPONDER', [from])))
  })

  it('in chunk mode loads one chunk while the next one is saved', async () => {
    const chunk = headerBytes + 64 * page
    await using pair = await openBottledPair({
      size: 4 * mebibyte,
      chunk_size: chunk,
      capabilities: { migration_in_chunks: true },
    })
    const { to, source, destination } = pair
    const report = await migrate({ from: source, to: destination, precopy: false })
    checkReport(report)
    await checkArrived(pair)
    assert.deepEqual(bytesOf(await commandsNamed('LOAD', [to])), Array<number>(16).fill(chunk))
    assert.equal(report.bytes, await streamBytes(to))
  })

  it('in chunk mode moves what pre-copy had no room for when the source stands', async () => {
    await using pair = await openBottledPair({
      size: 4 * mebibyte,
      rate: mebibyte,
      chunk_size: mebibyte,
      capabilities: { migration_in_chunks: true },
    })
    const { to, source, destination } = pair
    await to.set({ rate: 0 })
    const report = await migrate({ from: source, to: destination })
    checkReport(report)
    await checkArrived(pair)
    assert.equal(report.bytes, await streamBytes(to))
    assert.ok(report.bytes > 4 * mebibyte)
  })
})

describe('migrate() of a bottled mlx5 function that begins anew in pre-copy', () => {
  const size = 64 * kibibyte
  const full = headerBytes + size

  /** Another round until the whole state was saved once more. */
  async function migrateAnew(from: BottledFunction, source: Device, to: Device): Promise<MigrationReport> {
    let isTold = false
    let isAnew = false
    return await migrate({
      from: source,
      to,
      onProgress(progress) {
        if (progress.kind !== 'round') return
        const [sample] = progress.samples
        if (progress.progress.round > 1 && (sample?.bytes ?? 0) >= full) isAnew = true
        if (!isTold) void from.reinit()
        isTold = true
      },
      policy: ({ round }) => (isAnew || round > 10_000 ? 'switch' : 'continue'),
    })
  }

  it('loads the new initial image before it stops the source', async () => {
    await using pair = await openBottledPair({ size, capabilities: { migration_state: true } })
    const { from, to, source, destination } = pair
    await from.step(3)
    const report = await migrateAnew(from, source, destination)
    assert.equal(report.outcome, 'destination')
    await checkArrived(pair)
    const [moved] = report.devices
    // Only newer kernels tell of it; in older ones it is an increment as any other.
    assert.equal(moved?.restarts, isAtLeast(7, 1) ? 1 : 0)
    assert.ok(report.rounds.slice(1).some(({ bytes }) => bytes >= full))
    const loads = await commandsNamed('LOAD', [to])
    const [first, again] = loads.filter(({ fields }) => fields.bytes === String(full))
    assert.ok(first && again)
    assert.ok(again.end <= firstBegin(await commandsNamed('SUSPEND_INITIATOR', [from])))
  })
})

describe('migrate() of a bottled mlx5 function that silently gives up pre-copy', () => {
  const size = 4 * mebibyte

  for (const [which, nth] of [
    ['first', 1],
    ['second', 2],
    ['third', 3],
  ] as const) {
    it(`in its ${which} SAVE says so in its report, waits for nothing and moves the whole state`, async () => {
      await using pair = await openBottledPair({ size, rate: 8 * mebibyte })
      const { from, to, source, destination } = pair
      await to.set({ rate: 0 })
      await from.fault('SAVE', { status: 9 }, nth)
      const report = await migrate({
        from: source,
        to: destination,
        policy: ({ canImprove, round }) => (canImprove && round < 10 ? 'continue' : 'switch'),
      })
      assert.deepEqual(await from.pendingFaults(), [])
      checkReport(report)
      await checkArrived(pair)
      assert.equal(report.devices[0]?.gaveUpPrecopy, true)
      assert.equal(bytesOf(await commandsNamed('LOAD', [to])).at(-1), headerBytes + size)
      assert.equal((await commandsNamed('LOAD', [to])).length, nth)
      const precopy = report.phases.find(({ phase }) => phase === 'precopy')
      assert.ok(precopy && precopy.ms < 5000, `pre-copy took ${precopy?.ms} ms`)
    })
  }

  it('says nothing of the kind where it does not', async () => {
    await using pair = await openBottledPair({ size })
    const { source, destination } = pair
    const report = await migrate({ from: source, to: destination })
    checkReport(report)
    assert.equal(report.devices[0]?.gaveUpPrecopy, false)
  })
})
