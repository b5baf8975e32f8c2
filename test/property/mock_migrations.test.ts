// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { migrate, openDevice } from 'vfio-migrate'
import { MockDevice, VirtualClock, type MockOptions } from 'vfio-migrate/mock'
import { pairOf } from '../unit/migration/pair.js'
import { expectedDigest } from './expected_state.js'
import { moveByCalls, type Manner } from './moving.js'

const kibibyte = 1024

/** A pair that fits: whatever a state depends on is the same on both sides, times and bandwidths are each side's own. */
interface Scene {
  readonly common: MockOptions & { readonly size: number; readonly workingSet: number }
  readonly from: MockOptions
  readonly to: MockOptions
  /** How long the source works before it is moved, in ms. */
  readonly runsMs: number
  readonly manner: Manner
}

const amounts = fc.integer({ min: 1, max: 256 }).map(count => count * kibibyte)
const ms = fc.double({ min: 0, max: 50, noNaN: true })
const commands = ['SUSPEND_INITIATOR', 'SUSPEND_RESPONDER', 'RESUME_RESPONDER', 'RESUME_INITIATOR'] as const
const latency = fc.record(
  Object.fromEntries([...commands, 'QUERY', 'SAVE', 'LOAD'].map(command => [command, ms])),
)
const bandwidth = fc.record({
  save: fc.integer({ min: 64 * kibibyte, max: 2 ** 30 }),
  load: fc.integer({ min: 64 * kibibyte, max: 2 ** 30 }),
})
const side = fc.record({ latency, bandwidth, estimateSlack: fc.integer({ min: 0, max: 8192 }) })

const common = fc
  .record({
    kernel: fc.constantFrom('6.12' as const, '7.2' as const),
    size: amounts,
    share: fc.double({ min: 0.01, max: 1, noNaN: true }),
    dirty: fc.integer({ min: 0, max: 64 * 2 ** 20 }),
    chunk: fc.option(fc.integer({ min: 80 + 4096, max: 64 * kibibyte }), { nil: undefined }),
  })
  .map(({ share, chunk, ...rest }) => ({
    ...rest,
    workingSet: Math.max(kibibyte, Math.floor((rest.size * share) / kibibyte) * kibibyte),
    ...(chunk !== undefined && { chunkSize: chunk }),
  }))

const sizes = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1000, max: 512 * kibibyte })),
  { minLength: 1, maxLength: 4 },
)
/** Nobody reads a whole state by the byte. */
const workable = sizes.filter(list => list.some(size => size >= 1000))
const round = fc.record({ ask: fc.boolean(), reads: fc.integer({ min: 0, max: 20 }), pauseMs: ms })
const manner = fc.record({
  reads: workable,
  writes: workable,
  rounds: fc.array(round, { maxLength: 5 }),
})

const scene: fc.Arbitrary<Scene> = fc.record({ common, from: side, to: side, runsMs: ms, manner })

const others = [
  { flavour: 'virtio', preCopy: true },
  { flavour: 'hisi_acc', preCopy: true },
  { flavour: 'qat', preCopy: true },
  { flavour: 'mtty', preCopy: true },
  { flavour: 'pds', preCopy: false },
  { flavour: 'xe', preCopy: false },
] as const

interface Stage {
  readonly clock: VirtualClock
  readonly source: MockDevice
  readonly target: MockDevice
}

function stage({ common, from, to }: Scene): Stage {
  const clock = new VirtualClock()
  const source = new MockDevice({ ...common, ...from, seed: 0x0123_4567_89ab_cdefn, name: 'source', clock })
  const target = new MockDevice({ ...common, ...to, seed: 7n, name: 'target', clock })
  return { clock, source, target }
}

/** Nobody else had this identity, and no step was made by both. */
function assertOneOwner(...devices: MockDevice[]): void {
  const runs = devices.flatMap(({ runLog }) => runLog)
  for (const [index, run] of runs.entries()) {
    for (const other of runs.slice(index + 1).filter(({ seed }) => seed === run.seed)) {
      assert.ok(
        run.endEpoch <= other.firstEpoch || other.endEpoch <= run.firstEpoch,
        `${run.device} and ${other.device} made one step`,
      )
    }
  }
}

describe('1,000 migrations of mocks, each of its own kind, on the virtual clock', () => {
  it('end with equal digests, by the bare calls, whatever is read and written at once and whenever the switch is', async () => {
    await fc.assert(
      fc.asyncProperty(scene, async given => {
        const { clock, source, target } = stage(given)
        const [from, to] = [source.lend(), target.open()]
        await clock.sleep(given.runsMs)
        await moveByCalls({ from: from.calls, to: to.calls, sleep: time => clock.sleep(time) }, given.manner)
        assert.equal(target.digest(), source.digest())
        assert.equal(target.epoch, source.epoch)
        const { size, workingSet } = given.common
        const worked = { size, workingSet, seed: 0x0123_4567_89ab_cdefn, epoch: source.epoch }
        assert.equal(target.digest(), expectedDigest(worked))
        assert.equal((await to.calls.setStates([2])).result, 0)
        await clock.sleep(20)
        await Promise.all([from.calls.close(), to.calls.close()])
        assertOneOwner(source, target)
      }),
      { numRuns: 500 },
    )
  })

  it('end with equal digests, by migrate()', async () => {
    await fc.assert(
      fc.asyncProperty(scene, async given => {
        const { clock, source, target } = stage(given)
        await using from = await openDevice(source.lend())
        await using to = await openDevice(target.open())
        await clock.sleep(given.runsMs)
        let whenLoaded = ''
        const report = await migrate({
          from,
          to,
          onProgress: progress => {
            const arcs = progress.kind === 'arcs' && progress.side === 'destination' ? progress.arcs : []
            if (arcs.some(arc => arc.from === 'RESUMING')) whenLoaded = target.digest()
          },
        })
        assert.equal(pairOf(report).destination.state, 'RUNNING')
        assert.equal(whenLoaded, source.digest())
        const { size, workingSet } = given.common
        const worked = { size, workingSet, seed: 0x0123_4567_89ab_cdefn, epoch: source.epoch }
        assert.equal(whenLoaded, expectedDigest(worked))
        await clock.sleep(20)
        await Promise.all([from.close(), to.close()])
        assertOneOwner(source, target)
      }),
      { numRuns: 500 },
    )
  })

  for (const { flavour, preCopy } of others) {
    it(`end with equal digests with the manners of ${flavour}`, async () => {
      await fc.assert(
        fc.asyncProperty(manner, ms, fc.integer({ min: 0, max: 2 ** 20 }), async (given, runsMs, dirty) => {
          const clock = new VirtualClock()
          const source = new MockDevice({ flavour, seed: 3n, clock, dirty })
          const target = new MockDevice({ flavour, seed: 4n, clock })
          const [from, to] = [source.lend(), target.open()]
          await clock.sleep(runsMs)
          const pair = { from: from.calls, to: to.calls, sleep: (time: number) => clock.sleep(time) }
          await moveByCalls(pair, preCopy ? given : { ...given, rounds: [] })
          assert.deepEqual([target.digest(), target.epoch], [source.digest(), source.epoch])
          await Promise.all([from.calls.close(), to.calls.close()])
        }),
        { numRuns: 30 },
      )
    })
  }
})
