// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate } from '#lib/index.js'
import { openBottledPair } from './bottle.ts'
import type { BottledFunction, Run } from './bottled.ts'

const mebibyte = 2 ** 20

/** What the functions ran of one state, in order; no epoch of it may have run twice. */
async function runsOf(seed: bigint, functions: readonly BottledFunction[]): Promise<Run[]> {
  const all = (await Promise.all(functions.map(one => one.runs()))).flat()
  return all.filter(run => run.seed === seed).sort((one, other) => Number(one.first - other.first))
}

describe('a bottled mlx5 function', () => {
  it('migrates under a workload into another one, which goes on where it stopped', async () => {
    await using pair = await openBottledPair({ size: mebibyte, rate: mebibyte })
    const { from, to, source, destination } = pair
    const { seed } = await from.digest()
    const report = await migrate({ from: source, to: destination })
    await to.step(1)
    const runs = await runsOf(seed, [from, to])
    assert.deepEqual(
      runs.map(({ first }) => first),
      [0n, await from.epoch()],
    )
    assert.equal(runs[0]?.after, runs[1]?.first)
    assert.ok(report.precopyBytes > mebibyte)
  })

  it('has the same digest at both ends when nothing changes it after the switch', async () => {
    await using pair = await openBottledPair({ size: mebibyte, rate: mebibyte })
    const { from, to, source, destination } = pair
    await to.set({ rate: 0 })
    await migrate({ from: source, to: destination })
    assert.deepEqual(await to.digest(), await from.digest())
  })
})
