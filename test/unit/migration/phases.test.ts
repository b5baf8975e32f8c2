// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { phases, Timeline, type Phase } from '#lib/migration/phases.js'

/** A timeline on a clock that the test moves, begun at 1000. */
function begun(): { timeline: Timeline; told: Phase[]; at: (ms: number) => void } {
  let now = 1000
  const told: Phase[] = []
  const timeline = new Timeline(
    () => now,
    phase => told.push(phase),
  )
  return { timeline, told, at: ms => (now = 1000 + ms) }
}

describe('Timeline', () => {
  it('tells times from the beginning, in the order of the phases', () => {
    const { timeline, told, at } = begun()
    at(5)
    timeline.begin('load')
    at(7)
    timeline.begin('precopy')
    at(10)
    timeline.end('load')
    at(12)
    timeline.end('precopy')
    assert.deepEqual(timeline.times, [
      { phase: 'precopy', startedMs: 7, ms: 5 },
      { phase: 'load', startedMs: 5, ms: 5 },
    ])
    assert.deepEqual(told, ['load', 'precopy'])
    assert.deepEqual([timeline.ms, timeline.begunAt], [12, 1000])
    assert.deepEqual([timeline.msOf('load'), timeline.msOf('prepare')], [5, 0])
  })

  it('is begun by the first of several devices and ended by the last, and told once', () => {
    const { timeline, told, at } = begun()
    timeline.begin('stop-copy')
    at(3)
    timeline.begin('stop-copy')
    timeline.end('stop-copy')
    at(9)
    timeline.end('stop-copy')
    assert.deepEqual(timeline.times, [{ phase: 'stop-copy', startedMs: 0, ms: 9 }])
    assert.deepEqual(told, ['stop-copy'])
  })

  it('counts a phase that did not end until now', () => {
    const { timeline, at } = begun()
    at(1)
    timeline.begin('commit')
    at(4)
    assert.deepEqual(timeline.times, [{ phase: 'commit', startedMs: 1, ms: 3 }])
  })

  it('ends none that has not begun', () => {
    const { timeline } = begun()
    timeline.end('run')
    assert.deepEqual(timeline.times, [])
  })

  it('times work, however it ends, and has its result', async () => {
    const { timeline, at } = begun()
    const work = async (): Promise<string> => {
      at(2)
      return await Promise.resolve('done')
    }
    assert.equal(await timeline.during('prepare', work), 'done')
    const failing = async (): Promise<never> => {
      at(6)
      return await Promise.reject(new Error('broken'))
    }
    await assert.rejects(timeline.during('precopy', failing), { message: 'broken' })
    at(50)
    assert.deepEqual(timeline.times, [
      { phase: 'prepare', startedMs: 0, ms: 2 },
      { phase: 'precopy', startedMs: 2, ms: 4 },
    ])
  })

  it('has every phase in the order in which a migration goes through them', () => {
    const { timeline } = begun()
    for (const phase of [...phases].reverse()) timeline.begin(phase)
    assert.deepEqual(
      timeline.times.map(({ phase }) => phase),
      [
        ...['preflight', 'prepare', 'precopy', 'quiesce', 'stop-copy'],
        ...['load', 'complete', 'commit', 'run', 'release'],
      ],
    )
  })
})
