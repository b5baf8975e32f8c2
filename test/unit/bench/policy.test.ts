// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'

/*
 * The simulation behind docs/performance.md. What it says of the threshold rule is held to examples that were worked out by
 * hand; of the rest, what has to hold in any world.
 */

interface Device {
  readonly driver: string
  readonly stateBytes: number
  readonly [field: string]: unknown
}

interface Workload {
  readonly id: number
  readonly devices: readonly Device[]
  readonly [field: string]: unknown
}

interface Look {
  readonly at: number
  readonly thresholdBytes: number
  readonly estimate: number
  readonly exact: number | undefined
  readonly loaded: boolean
}

interface Stopped {
  readonly downtimeMs: number
  readonly precopyMs: number
  readonly movedBytes: number
  readonly savedBytes: number
}

interface Run {
  readonly none: { readonly downtimeMs: number; readonly bytes: number }
  readonly threshold: Stopped | undefined
  readonly ours:
    | (Stopped & {
        readonly turnedBack: boolean
        readonly rounds: number
        readonly bytes: number
        readonly why: string
      })
    | undefined
}

async function load(name: string): Promise<Record<string, unknown>> {
  const { href } = new URL(`../../../bench/policy/${name}.mjs`, import.meta.url)
  return (await import(href)) as Record<string, unknown>
}

type World = new (workload: Workload, seed: number, options?: { noise: number }) => object

const { World } = (await load('world')) as { World: World }
const { workloads } = (await load('workloads')) as {
  workloads: (family: number, count: number) => Workload[]
}
const { threshold } = (await load('threshold')) as {
  threshold: (world: object, onLook?: (look: Look) => void) => Stopped | undefined
}
const { ours } = (await load('ours')) as {
  ours: (world: object, options?: object) => Promise<NonNullable<Run['ours']>>
}
const { compete, judge } = (await load('judge')) as {
  compete: (workload: Workload, seed: number) => Promise<Run>
  judge: (runs: readonly Run[]) => object[]
}
const { Flow, shared } = (await load('flow')) as {
  Flow: new (sliceMs: number, rate: (slice: number) => number) => object
  shared: (flow: object, shipments: readonly { readyAt: number; bytes: number }[]) => number[]
}

/** 100 kB a ms on the link, SAVE at ten times, LOAD at a hundred times its speed; SUSPEND and RESUME take 2 and 3 ms. */
function workload(stateBytes: number, changes: object = {}): Workload {
  const device = {
    ...{ driver: 'mlx5', stateBytes, dirtyBytesPerMs: 0, workingSetBytes: stateBytes, inTurn: true },
    ...{
      saveBytesPerMs: 1e6,
      loadBytesPerMs: 1e7,
      saveMs: 0,
      loadMs: 0,
      queryMs: 0,
      suspendMs: 2,
      resumeMs: 3,
    },
    ...changes,
  }
  const link = { linkBytesPerMs: 1e5, rttMs: 0, participantMs: 0, limitMs: 300, dirtyOfLink: 0 }
  return { id: 0, devices: [device], ...link }
}

function looksOf(subject: Workload): { looks: Look[]; stopped: Stopped | undefined } {
  const looks: Look[] = []
  const stopped = threshold(new World(subject, 1, { noise: 0 }), look => looks.push(look))
  return { looks, stopped }
}

function near(actual: number | undefined, expected: number): void {
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-3, `${actual} is not ${expected}`)
}

describe('the threshold rule of the simulation', () => {
  /*
   * 11 MB less a header. SAVE ends at 11 ms (10.999984). The link carries a read of 1 MiB in 10.48576 ms: ten of them end
   * at 115.857584, when the first window of 100 ms is over, with 10 485 760 bytes sent in 104.8576 ms: 100 000 a ms, and
   * a threshold of 30 MB. What is estimated to be left, 514 240 bytes, is below it, so that the device is asked for
   * MIG_DATA_SIZE, 10 999 984: below it too. But initial bytes are left. The eleventh read takes 5.1424 ms, LOAD 1.1 ms
   * (11 000 000 bytes): until 122.099984. From then on they are loaded, and it stops.
   */
  it('stops when MIG_DATA_SIZE is below bandwidth × limit, and the initial bytes are loaded', () => {
    const { looks, stopped } = looksOf(workload(11e6 - 16))
    const first = looks.find(look => look.exact !== undefined)
    near(first?.at, 115.857584)
    near(first?.thresholdBytes, 30e6)
    near(first?.estimate, 514_240)
    assert.equal(first?.exact, 10_999_984)
    assert.equal(first.loaded, false)
    near(stopped?.precopyMs, 122.099984)
    assert.ok(looks.at(-1)?.loaded)
    // Nothing has changed: 16 bytes of header, saved in 0.000016, sent in 0.00016 ms; two times 2 and two times 3 ms.
    near(stopped?.downtimeMs, 10)
  })

  it('asks the device only where the estimate is below the threshold', () => {
    for (const { estimate, thresholdBytes, exact } of looksOf(workload(11e6 - 16)).looks)
      assert.equal(exact !== undefined, estimate < thresholdBytes)
  })

  /* The link carries 30 MB in 300 ms: whatever was pre-copied, 40 MB are never below that. */
  it('never stops a device whose whole state is above it, however little is left', () =>
    assert.equal(looksOf(workload(40e6)).stopped, undefined))

  /*
   * 25 MB are below 30 MB. They are sent at 275 ms; LOAD at 50 kB a ms takes 500 ms more, in which next to nothing is sent:
   * two windows later the threshold is 0, which nothing is below.
   */
  it('does not stop a device that is idle by the time that it is loaded', () =>
    assert.equal(looksOf(workload(25e6, { loadBytesPerMs: 5e4 })).stopped, undefined))

  /*
   * 10 kB a ms are written. The first image is sent at 120.999984: nothing is estimated to be left, so it asks, which
   * begins an image of the 1 210 000 bytes that have changed since 0, saved at 122.209984. LOAD of the first one has ended
   * by then. A read of 1 MiB is sent at 132.695744; it asks again, and stops, with 161 440 bytes of that image unread.
   * DMA ends at 134.695744, the rest of the device at 136.695744; 136 958 bytes have changed since the image before. The
   * unread bytes are sent at 138.310144 and loaded at 138.431146, the final image 136 974 bytes later, at 139.800886, loaded
   * at 139.814583. RESUME takes 6 ms.
   */
  it('asks before it stops, and moves what that began while the device stands', () => {
    const { stopped } = looksOf(workload(11e6 - 16, { dirtyBytesPerMs: 1e4 }))
    near(stopped?.precopyMs, 132.695744)
    assert.equal((stopped?.savedBytes ?? 0) - (stopped?.movedBytes ?? 0), 161_440)
    near(stopped?.downtimeMs, 145.814583 - 132.695744)
  })

  it('waits for no pre-copy of a device that has none', () => {
    const { stopped } = looksOf({
      ...workload(1000),
      devices: [{ ...workload(1000).devices[0], driver: 'none', stateBytes: 1000 }],
    })
    assert.equal(stopped, undefined, 'nothing is sent, so there is no bandwidth')
  })
})

describe('the simulation', () => {
  it('shares a link as two shipments would', () => {
    // The same as in the test of the estimator's link, which is another piece of code.
    const flow = new Flow(7, () => 10)
    assert.deepEqual(
      shared(flow, [
        { readyAt: 0, bytes: 100 },
        { readyAt: 5, bytes: 100 },
      ]).map(Math.round),
      [15, 20],
    )
  })

  it('ends every run, loses no byte, and is the same every time', async () => {
    for (const subject of workloads(3, 30)) {
      const run = await compete(subject, 7)
      assert.deepEqual(await compete(subject, 7), run)
      const { ours, none } = run
      assert.ok(ours, `${subject.id} has no end`)
      assert.ok(ours.downtimeMs > 0 && ours.rounds < 1000 && ours.why.length > 0)
      if (subject.devices.every(({ driver }) => driver !== 'none' && driver !== 'setup'))
        assert.equal(ours.movedBytes, ours.savedBytes, 'all that was saved in pre-copy was moved in it')
      assert.ok(
        ours.bytes <= none.bytes + 16 * subject.devices.length,
        'the final image is at most the whole state',
      )
    }
  })

  it('turns back where a device has begun anew, and would have stood for longer', async () => {
    // Between its last image and the switch.
    const subject = workloads(1, 38)[37] ?? assert.fail()
    const [back, on] = [
      await ours(new World(subject, 16)),
      await ours(new World(subject, 16), { onOverrun: 'switch' }),
    ]
    assert.deepEqual([back.turnedBack, on.turnedBack], [true, false])
    assert.equal(back.bytes, on.bytes, 'until then it is the same')
    assert.ok(on.downtimeMs > 1.5 * 300 && back.downtimeMs < on.downtimeMs)
  })

  it('judges what it has seen', async () => {
    const runs = await Promise.all(workloads(3, 30).map(subject => compete(subject, 7)))
    assert.ok(judge(runs).length >= 8)
  })
})
