// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { Estimator } from '#lib/migration/estimate.js'
import type { DeviceOutlook, RoundSample } from '#lib/migration/progress.js'

/*
 * A device that is simple to calculate: SAVE 2 ms + 1 ms a MB, the link 10 ms a MB, LOAD 3 ms + 5 ms a MB, precopy info
 * 1 ms, 2 MB changed in 100 ms, 40 MB in all.
 */
const MB = 1e6
const arcs = { arcMs: 3, stopArcs: 2, startArcs: 2 }
const outlook: DeviceOutlook = { precopy: 'incremental', stateBytes: 40 * MB, ...arcs }
const costs = { saveMs: (bytes: number) => 2 + bytes / MB, linkMs: (bytes: number) => (10 * bytes) / MB }
const loadMs = (bytes: number): number => 3 + (5 * bytes) / MB
const rate = (2 * MB) / 100

interface Told {
  readonly askedAt: number
  readonly bytes: number
  readonly isFirst?: boolean
}

/** The first answer waits for the first image. */
function sample({ askedAt, bytes, isFirst = false }: Told): RoundSample {
  const saveMs = bytes > 0 ? costs.saveMs(bytes) : 0
  return {
    askedAt,
    askMs: isFirst ? saveMs + 1 : 1,
    initialBytes: isFirst ? bytes : 0,
    dirtyBytes: isFirst ? 0 : bytes,
    reinit: false,
    bytes,
    firstByteMs: isFirst ? 0 : saveMs,
    sendMs: bytes > 0 ? costs.linkMs(bytes) : 0,
    loadMs: bytes > 0 ? loadMs(bytes) : 0,
  }
}

function endOf({ askedAt, askMs, firstByteMs, sendMs, loadMs: loading }: RoundSample): number {
  return askedAt + askMs + firstByteMs + sendMs + loading
}

/** As many rounds as are asked for; what has changed is what the rate makes of the time between two images. */
function rounds(estimator: Estimator, count: number): { now: number; begunAt: number } {
  let [now, begunAt] = [0, 0]
  for (let round = 1; round <= count; round++) {
    const isFirst = round === 1
    const bytes = isFirst ? 40 * MB : rate * (now + 1 - begunAt)
    const told = sample({ askedAt: now, bytes, isFirst })
    estimator.observe([told])
    if (!isFirst) begunAt = now + 1
    now = endOf(told)
  }
  return { now, begunAt }
}

/** The downtime as the costs have it: two arcs with precopy's question, the image, and two arcs. */
function downtime(bytes: number): number {
  return 6 + 1 + costs.saveMs(bytes) + costs.linkMs(bytes) + loadMs(bytes) + 6
}

function near(actual: number, expected: number, part = 0.03): void {
  assert.ok(Math.abs(actual - expected) <= part * expected, `${actual} is not ${expected}`)
}

describe('Estimator', () => {
  it('knows of a device with increments nothing but its whole state, before it has seen one', () => {
    const estimator = new Estimator([outlook])
    rounds(estimator, 1)
    assert.equal(estimator.predict(500).bytes, 40 * MB)
  })

  it('scales an increment to the time since the image before', () => {
    const estimator = new Estimator([outlook])
    const { now, begunAt } = rounds(estimator, 4)
    // It writes until the first of its two arcs is done.
    const bytes = rate * (now + 3 - begunAt)
    near(estimator.predict(now).bytes, bytes)
    near(estimator.predict(now).downtimeMs, downtime(bytes))
    assert.ok(estimator.predict(now).bytes < 40 * MB)
  })

  it('adds SAVE, link and LOAD of one image up, and says what each of them is', () => {
    const estimator = new Estimator([outlook])
    const { now } = rounds(estimator, 5)
    const { bytes, parts, downtimeMs, worstMs } = estimator.predict(now, 11)
    near(parts.saveMs, costs.saveMs(bytes))
    near(parts.linkMs, costs.linkMs(bytes))
    near(parts.loadMs, loadMs(bytes))
    assert.deepEqual([parts.stopArcsMs, parts.startArcsMs, parts.participantMs], [7, 6, 11])
    const { stopArcsMs, saveMs, linkMs, startArcsMs, participantMs } = parts
    near(downtimeMs, stopArcsMs + saveMs + linkMs + parts.loadMs + startArcsMs + participantMs, 1e-9)
    assert.ok(worstMs >= downtimeMs)
  })

  it('foresees a working set that is full, and never more than the whole state', () => {
    const estimator = new Estimator([outlook])
    estimator.observe([sample({ askedAt: 0, bytes: 40 * MB, isFirst: true })])
    for (const askedAt of [1000, 3000, 6000, 12_000]) {
      estimator.observe([sample({ askedAt, bytes: 5 * MB })])
    }
    near(estimator.predict(24_000).bytes, 5 * MB, 0.1)
  })

  it('counts from the image before where an answer promises nothing', () => {
    const estimator = new Estimator([outlook])
    const { now } = rounds(estimator, 3)
    estimator.observe([sample({ askedAt: now + 1000, bytes: 0 })])
    const { bytes } = estimator.predict(now + 1001)
    assert.ok(bytes < rate * 100, `${bytes} bytes cannot have changed in no time`)
    assert.ok(estimator.canImprove)
  })

  it('takes a device whose promise is not kept for one that will give its whole state', () => {
    const estimator = new Estimator([outlook])
    const { now } = rounds(estimator, 3)
    const silent = { ...sample({ askedAt: now, bytes: 0 }), dirtyBytes: 2 * MB }
    estimator.observe([silent])
    assert.equal(estimator.predict(now + 10).bytes, 40 * MB)
    assert.ok(estimator.canImprove, 'its next answer says more')
    estimator.observe([sample({ askedAt: now + 20, bytes: 0 })])
    assert.equal(estimator.predict(now + 30).bytes, 40 * MB)
    assert.ok(!estimator.canImprove)
  })

  it('takes a first answer without a promise for pre-copy that was given up', () => {
    const estimator = new Estimator([outlook])
    estimator.observe([sample({ askedAt: 0, bytes: 0, isFirst: true })])
    assert.ok(!estimator.canImprove)
    assert.equal(estimator.initialBytesLeft, 0)
    assert.equal(estimator.predict(10).bytes, 40 * MB)
  })

  it('goes on counting increments after a device that begins anew', () => {
    const estimator = new Estimator([outlook])
    const { now } = rounds(estimator, 4)
    const anew = {
      ...sample({ askedAt: now, bytes: 40 * MB }),
      initialBytes: 40 * MB,
      dirtyBytes: 0,
      reinit: true,
    }
    estimator.observe([anew])
    assert.equal(estimator.initialBytesLeft, 0)
    near(estimator.predict(endOf(anew)).bytes, rate * (endOf(anew) + 3 - (now + 1)))
  })

  it('counts initial bytes that are not loaded', () => {
    const estimator = new Estimator([outlook, outlook])
    const told = sample({ askedAt: 0, bytes: 1000, isFirst: true })
    estimator.observe([told, { ...told, initialBytes: 3000 }])
    assert.equal(estimator.initialBytesLeft, 2000)
  })

  it('sees no use in a second round of a driver whose images are full', () => {
    const estimator = new Estimator([{ ...outlook, precopy: 'full', precopyArcMs: 42 }])
    assert.ok(estimator.canImprove)
    estimator.observe([{ ...sample({ askedAt: 0, bytes: 40 * MB, isFirst: true }), askMs: 1 }])
    assert.ok(!estimator.canImprove)
    const { bytes, parts } = estimator.predict(500)
    assert.equal(bytes, 40 * MB)
    near(parts.saveMs, 42)
    near(parts.linkMs, costs.linkMs(40 * MB))
  })

  it('goes by MIG_DATA_SIZE where pre-copy gives a header only, and does not make much of what that cost', () => {
    const estimator = new Estimator([{ ...outlook, precopy: 'setup', stateBytes: 4096 }])
    estimator.observe([{ ...sample({ askedAt: 0, bytes: 40, isFirst: true }), loadMs: 3, firstByteMs: 0 }])
    const { bytes, parts } = estimator.predict(10)
    assert.equal(bytes, 4096)
    assert.ok(parts.loadMs < 4)
    assert.ok(!estimator.canImprove)
  })

  it('takes commands that were not measured for as slow as those that stop a device', () => {
    const estimator = new Estimator([{ precopy: 'none', stateBytes: 4096, ...arcs, arcMs: 40 }])
    const { saveMs, loadMs: loading, startArcsMs } = estimator.predict(0).parts
    near(saveMs, 40)
    near(loading, 40)
    assert.equal(startArcsMs, 80)
  })

  it('adds to the arcs that start what a handover takes beside them', () => {
    const estimator = new Estimator([outlook, outlook], { handoverMs: 9 })
    assert.equal(estimator.predict(0).parts.startArcsMs, 6 + 9)
  })

  it('takes a size that nobody tells for one that is within no limit, until it is seen', () => {
    const untold = { stateBytes: undefined, ...arcs }
    for (const precopy of ['none', 'setup', 'full', 'incremental'] as const) {
      const { downtimeMs, bytes } = new Estimator([{ ...untold, precopy }]).predict(0)
      assert.ok(bytes > 1e10 && downtimeMs > 1e4, `${precopy}: ${bytes} bytes, ${downtimeMs} ms`)
    }
    const full = new Estimator([{ ...untold, precopy: 'full', precopyArcMs: 42 }])
    full.observe([{ ...sample({ askedAt: 0, bytes: 40 * MB, isFirst: true }), askMs: 1 }])
    assert.equal(full.predict(500).bytes, 40 * MB)
    const setup = new Estimator([{ ...untold, precopy: 'setup' }])
    setup.observe([{ ...sample({ askedAt: 0, bytes: 40, isFirst: true }), firstByteMs: 0 }])
    assert.ok(setup.predict(10).bytes > 1e10)
    const incremental = new Estimator([{ ...untold, precopy: 'incremental' }])
    rounds(incremental, 4)
    assert.ok(incremental.predict(500).bytes < 40 * MB)
  })

  it('counts the arcs that there will be: a source that stands already is not stopped', () => {
    const at = (stopArcs: number): number =>
      new Estimator([{ ...outlook, precopy: 'none', stopArcs }]).predict(0).parts.stopArcsMs
    assert.deepEqual([at(2), at(1), at(0)], [6, 3, 0])
  })

  it('goes on from a round that was cut short: what is left of its image, and what has changed since', () => {
    const estimator = new Estimator([outlook])
    const { now, begunAt } = rounds(estimator, 3)
    const promised = rate * (now + 1 - begunAt)
    const some = promised / 4
    const cut = {
      ...sample({ askedAt: now, bytes: promised }),
      bytes: some,
      sendMs: costs.linkMs(some),
      loadMs: 0,
    }
    estimator.observe([{ ...cut, cut: true }])
    near(estimator.predict(now + 1 + 60).bytes, promised - some + rate * (60 + 3))
    assert.ok(estimator.canImprove)
  })

  it('has the whole state and the rest of an image before it where the first round was cut short', () => {
    const estimator = new Estimator([outlook])
    estimator.observe([
      { ...sample({ askedAt: 0, bytes: 40 * MB, isFirst: true }), bytes: 10 * MB, cut: true },
    ])
    assert.deepEqual([estimator.predict(50).bytes, estimator.initialBytesLeft], [70 * MB, 30 * MB])
  })

  it('waits for no initial bytes of a device that has given pre-copy up, beside one that has not', () => {
    const estimator = new Estimator([{ ...outlook, precopy: 'full' }, outlook])
    const nothing = { ...sample({ askedAt: 0, bytes: 0, isFirst: true }), initialBytes: 5 * MB }
    const told = sample({ askedAt: 0, bytes: 40 * MB, isFirst: true })
    estimator.observe([nothing, told])
    estimator.observe([{ ...nothing, askedAt: 900 }, sample({ askedAt: 900, bytes: MB })])
    assert.deepEqual([estimator.initialBytesLeft, estimator.canImprove], [0, true])
  })

  it('has nothing to hope for without pre-copy', () => {
    const estimator = new Estimator([{ ...outlook, precopy: 'none' }])
    assert.deepEqual(
      [estimator.hasPreCopy, estimator.canImprove, estimator.initialBytesLeft],
      [false, false, 0],
    )
    assert.equal(estimator.predict(0).bytes, 40 * MB)
  })

  it('saves and loads the devices of a set in parallel, and sends them over one link', () => {
    const estimator = new Estimator([outlook, outlook])
    let now = 0
    let begunAt = 0
    for (let round = 1; round <= 5; round++) {
      const isFirst = round === 1
      const bytes = isFirst ? 40 * MB : rate * (now + 1 - begunAt)
      // Both send all the time, and each takes as long as both.
      const told = { ...sample({ askedAt: now, bytes, isFirst }), sendMs: costs.linkMs(2 * bytes) }
      estimator.observe([told, told])
      if (!isFirst) begunAt = now + 1
      now = endOf(told)
    }
    const { bytes, parts } = estimator.predict(now)
    const each = bytes / 2
    near(each, rate * (now + 3 - begunAt))
    near(parts.saveMs, costs.saveMs(each))
    near(parts.linkMs, costs.linkMs(bytes))
    near(parts.loadMs, loadMs(each))
    assert.equal(parts.stopArcsMs, 7)
  })

  it('lets the records of one image overtake each other, where it comes in several', () => {
    const estimator = new Estimator([{ ...outlook, chunkBytes: MB }])
    const { now } = rounds(estimator, 2)
    const { bytes, parts } = estimator.predict(now)
    assert.ok(bytes > 4 * MB)
    near(parts.saveMs, costs.saveMs(MB), 0.2)
    near(parts.loadMs, loadMs(MB), 0.2)
    // The link takes 10 ms for each, SAVE 3 ms and LOAD 8 ms: the link sets the pace.
    near(parts.linkMs, costs.linkMs(bytes))
  })

  it('counts as left what the first images of a device with chunks did not hold', () => {
    const estimator = new Estimator([{ ...outlook, chunkBytes: 8 * MB }])
    estimator.observe([sample({ askedAt: 0, bytes: 8 * MB, isFirst: true })])
    assert.equal(estimator.predict(200).bytes, 40 * MB)
    estimator.observe([sample({ askedAt: 200, bytes: 8 * MB })])
    // Twice 8 MB of 40 were moved, and between the two images 8 MB changed in 201 ms.
    near(estimator.predict(201 + 100.5 - 3).bytes, 24 * MB + 4 * MB, 0.01)
  })

  it('does not ask of a device what took no part', () => {
    const estimator = new Estimator([outlook, { ...outlook, precopy: 'none' }])
    estimator.observe([sample({ askedAt: 0, bytes: 40 * MB, isFirst: true }), undefined])
    assert.equal(estimator.predict(500).bytes, 80 * MB)
  })

  it('puts what devices that stand have told in the place of what was foreseen', () => {
    const estimator = new Estimator([outlook])
    const { now } = rounds(estimator, 5)
    const { downtimeMs, bytes, parts } = estimator.predict(now, 11)
    const stopArcsMs = parts.stopArcsMs + 20
    const untold = estimator.revise({ stopArcsMs, announced: [undefined] }, now, 11)
    near(untold.downtimeMs, downtimeMs + 20, 1e-9)
    assert.deepEqual(untold.bytes, [bytes])
    // The SAVE of 40 MB has ended when it is told of.
    const told = estimator.revise({ stopArcsMs, announced: [{ bytes: 40 * MB, atMs: 70 }] }, now, 11)
    near(told.downtimeMs, 70 + costs.linkMs(40 * MB) + loadMs(40 * MB) + 6 + 11)
    assert.deepEqual(told.bytes, [40 * MB])
  })

  it('takes what chunks have told so far for the least that there is', () => {
    const estimator = new Estimator([{ ...outlook, chunkBytes: MB }])
    const { now } = rounds(estimator, 5)
    const [foreseen = 0] = estimator.revise({ stopArcsMs: 7, announced: [] }, now).bytes
    const told = (bytes: number): readonly number[] =>
      estimator.revise({ stopArcsMs: 7, announced: [{ bytes, atMs: 10 }] }, now).bytes
    assert.deepEqual(told(foreseen / 2), [foreseen])
    assert.deepEqual(told(2 * foreseen), [2 * foreseen])
  })
})
