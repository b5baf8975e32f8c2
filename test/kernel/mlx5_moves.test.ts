// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { openDevice } from '#lib/device/open.js'
import { migrate } from '#lib/migration/migrate.js'
import { MockDevice } from '#lib/mock/index.js'
import { expectedDigest } from '../property/expected_state.ts'
import { moveByCalls, type Manner } from '../property/moving.ts'
import { openBottle, openBottledPair, type BottleOptions } from './bottle.ts'
import type { BottledFunction } from './bottled.ts'
import { openSeam } from './seam.ts'

const kibibyte = 1024
const size = 64 * kibibyte

const sizes = fc
  .array(fc.integer({ min: 1, max: 2 * size }), { minLength: 1, maxLength: 4 })
  .filter(list => list.some(bytes => bytes >= kibibyte))
const round = fc.record({
  ask: fc.boolean(),
  reads: fc.integer({ min: 0, max: 20 }),
  pauseMs: fc.integer({ min: 0, max: 3 }),
})
const manner: fc.Arbitrary<Manner> = fc.record({
  reads: sizes,
  writes: sizes,
  rounds: fc.array(round, { maxLength: 4 }),
})

/** Moves the state of one function into another in many ways, each from a reset; nothing else of them changes. */
async function moveOften(options: BottleOptions): Promise<void> {
  const workingSet = 40 * kibibyte
  await using bottle = await openBottle({ size, working_set: workingSet, rate: 8 * 2 ** 20, ...options })
  const [from, to] = bottle.functions as [BottledFunction, BottledFunction]
  await to.set({ rate: 0 })
  await using source = await openSeam(from.address)
  await using destination = await openSeam(to.address)
  await fc.assert(
    fc.asyncProperty(manner, async given => {
      assert.deepEqual([await source.calls.reset(), await destination.calls.reset()], [0, 0])
      await moveByCalls({ from: source.calls, to: destination.calls, sleep: ms => pause(ms) }, given)
      const { digest, epoch, seed } = await from.digest()
      assert.deepEqual(await to.digest(), { digest, epoch, seed })
      assert.equal(digest, expectedDigest({ size, workingSet, seed, epoch }))
    }),
    { numRuns: 20 },
  )
}

describe('bottled mlx5 functions, moved by the bare calls, whatever is read at once and whenever the switch is', () => {
  it('end with equal digests', async () => {
    await moveOften({})
  })

  it('end with equal digests in chunk mode', async () => {
    await moveOften({ capabilities: { migration_in_chunks: true }, chunk_size: 20 * kibibyte })
  })
})

describe('the model of the firmware, implemented twice', () => {
  it('a bottled function migrates into a mock, and the mock into a bottled function', async () => {
    await using pair = await openBottledPair({ size })
    const { from, to, source, destination } = pair
    const mock = new MockDevice({ size })
    await using between = await openDevice(mock.open())

    await from.step(1000)
    const report = await migrate({ from: source, to: between })
    assert.equal(report.mock, true)
    const left = await from.digest()
    assert.deepEqual([mock.digest(), mock.epoch, mock.seed], [left.digest, left.epoch, left.seed])

    mock.step(7)
    await migrate({ from: between, to: destination })
    assert.deepEqual(await to.digest(), { digest: mock.digest(), epoch: 1007n, seed: left.seed })
  })
})
