// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import {
  openDevice,
  migrate,
  type Forecast,
  type MigrationProgress,
  type MigrationReport,
} from 'vfio-migrate'
import { MockDevice, VirtualClock } from 'vfio-migrate/mock'
import type { EventName } from '#lib/events.js'
import { heard, heardDuring, move, type Heard } from './heard.js'
import { pairOf } from './pair.js'

const of = (all: readonly Heard[], name: EventName): Heard['message'][] =>
  all.filter(event => event.name === name).map(({ message }) => message)

describe('what is published of a migration', () => {
  it('begins with start and ends with end, which has the report', async () => {
    let report: MigrationReport | undefined
    const all = await heardDuring(async () => (report = await move()))
    assert.deepEqual([all[0]?.name, all.at(-1)?.name], ['start', 'end'])
    assert.deepEqual(all[0]?.message.devices, ['source'])
    assert.equal(all.at(-1)?.message.report, report)
    assert.ok(!('error' in (all.at(-1)?.message ?? {})))
    assert.deepEqual([of(all, 'start').length, of(all, 'end').length], [1, 1])
  })

  it('is what onProgress is told, and which migration it is of', async () => {
    const told: MigrationProgress[] = []
    const clock = new VirtualClock()
    await using from = await openDevice(new MockDevice({ clock, dirty: '1MiB/s', size: '64KiB' }))
    await using to = await openDevice(new MockDevice({ clock, size: '64KiB' }))
    const all = await heardDuring(() => migrate({ from, to, onProgress: progress => told.push(progress) }))
    const { migration } = all[0]?.message ?? {}
    assert.deepEqual(
      all.slice(1, -1).map(({ message }) => message),
      told.map(progress => ({ migration, ...progress })),
    )
    for (const { name, message } of all.slice(1, -1)) assert.equal(message.kind, name)
  })

  it('adds up to the report', async () => {
    let report: MigrationReport | undefined
    const all = await heardDuring(async () => (report = await move({ quiesce: () => undefined })))
    assert.ok(report)
    const { source, destination, bytes } = pairOf(report)
    assert.deepEqual(
      of(all, 'phase').map(({ phase }) => phase),
      report.phases.map(({ phase }) => phase),
    )
    for (const side of [source, destination]) {
      const arcs = of(all, 'arcs').filter(({ device }) => device === side.device)
      assert.deepEqual(
        arcs.flatMap(({ arcs }) => arcs),
        side.arcs,
      )
    }
    assert.equal(of(all, 'bytes').at(-1)?.bytes, bytes)
    assert.equal(of(all, 'round').length, report.rounds.length)
    const moments = of(all, 'moment').map(({ moment, ms }) => ({ moment, ms }))
    assert.deepEqual(
      moments,
      report.participant.map(({ moment, ms }) => ({ moment, ms })),
    )
  })

  it('tells of the switch: bytes before it are of pre-copy, those after it are not', async () => {
    const all = await heard()
    const stopped = all.findIndex(({ message }) => message.phase === 'stop-copy')
    for (const [index, { name, message }] of all.entries()) {
      if (name === 'bytes') assert.equal(message.phase, index < stopped ? 'precopy' : 'stop-copy')
    }
  })

  it('has in every event what is foreseen and why: what the last round has told, or a guess before the first', async () => {
    let report: MigrationReport | undefined
    const all = await heardDuring(async () => (report = await move({ quiesce: () => undefined })))
    const between = all.slice(1, -1)
    const first = between.findIndex(({ name }) => name === 'round')
    const guessed = between.slice(0, first).map(({ message }) => message.forecast as Forecast | undefined)
    // It begins with pre-copy: before it neither side has told what its devices are.
    const begun = guessed.findIndex(forecast => forecast !== undefined)
    assert.ok(begun > 0 && begun < first)
    assert.deepEqual(new Set(guessed.slice(begun)).size, 1)
    assert.deepEqual([guessed[begun]?.round, guessed[begun]?.decision], [0, 'continue'])
    let last: unknown
    for (const { name, message } of between.slice(first)) {
      if (name !== 'round') assert.equal(message.forecast, last, name)
      else {
        const { progress, reasoned, forecast } = message as unknown as MigrationProgress & { kind: 'round' }
        const { round, predicted } = progress
        const { decision, why } = reasoned
        assert.deepEqual(forecast, { round, predicted, decision, why })
        assert.equal(forecast.predicted, predicted)
        last = forecast
      }
    }
    assert.deepEqual(
      new Set(between.slice(first).map(({ name }) => name)),
      new Set(['round', 'bytes', 'phase', 'moment', 'arcs']),
    )
    const { round, why, decision } = last as Forecast
    assert.ok(report)
    const { rounds } = report
    assert.deepEqual([round, why, decision], [rounds.length, rounds.at(-1)?.why, 'switch'])
    assert.ok(rounds.length > 1, 'there is a round that is not the last')
  })

  it('has a forecast without a round where no device has pre-copy', async () => {
    const told: MigrationProgress[] = []
    const clock = new VirtualClock()
    await using from = await openDevice(new MockDevice({ clock }))
    await using to = await openDevice(new MockDevice({ clock }))
    await migrate({ from, to, precopy: false, onProgress: progress => told.push(progress) })
    const forecasts = told.flatMap(({ forecast }) => forecast ?? [])
    assert.deepEqual([...new Set(forecasts.map(({ round }) => round))], [0])
    assert.ok(forecasts.every(({ why, predicted }) => why !== '' && predicted.downtimeMs > 0))
  })

  it('has the first failure, and where all was left', async () => {
    const all = await heard({ isRefusedByParticipant: true })
    const { error, report } = all.at(-1)?.message ?? {}
    assert.equal((error as { code?: unknown }).code, 'ERR_VFIO_PARTICIPANT')
    assert.equal((report as MigrationReport).outcome, 'source')
    const [, restored] = of(all, 'moment')
    assert.deepEqual([restored?.moment, restored?.error], ['restored', error])
  })

  it('ends for one that is refused, and does not start for one that is none', async () => {
    await using device = await openDevice(new MockDevice())
    const refused = await heardDuring(() => assert.rejects(migrate({ from: device, to: device })))
    assert.deepEqual(
      refused.map(({ name }) => name),
      ['start', 'phase', 'end'],
    )
    assert.equal((refused.at(-1)?.message.error as { code?: unknown }).code, 'ERR_VFIO_REFUSED')
    assert.deepEqual(await heardDuring(() => assert.rejects(migrate({ from: [], to: [] }))), [])
  })

  it('tells migrations apart that run at the same time', async () => {
    const all = await heardDuring(() => Promise.all([move(), move()]))
    const ids = new Set(all.map(({ message }) => message.migration))
    assert.equal(ids.size, 2)
    for (const id of ids) {
      const names = all.filter(({ message }) => message.migration === id).map(({ name }) => name)
      assert.deepEqual([names[0], names.at(-1)], ['start', 'end'])
    }
  })
})
