// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { migrate } from '#lib/index.js'
import { openBottledPair, type BottledPair } from './bottle.ts'
import type { Run } from './bottled.ts'
import { field, imageFlags, longField, pagesOf } from './mlx5_image.ts'
import { imagesOf, loadAll, readAll, recordsOf, tags } from './mlx5_stream.ts'
import { isAtLeast } from './release.ts'

const kibibyte = 2 ** 10
const mebibyte = 2 ** 20
const page = 4096

/** What was run of the source's state, in order. */
async function runsOf(seed: bigint, { from, to }: BottledPair): Promise<Run[]> {
  const all = [...(await from.runs()), ...(await to.runs())]
  return all.filter(run => run.seed === seed).sort((one, other) => Number(one.first - other.first))
}

/** Migrates, and asks that the state has arrived and has had one owner at a time. */
async function migrateAndCheck(pair: BottledPair): Promise<void> {
  const { from, to, source, destination } = pair
  await to.set({ rate: 0 })
  await migrate({ from: source, to: destination })
  const left = await from.digest()
  assert.deepEqual(await to.digest(), left)
  await to.step(1)
  const runs = await runsOf(left.seed, pair)
  const [before, after] = runs
  assert.equal(runs.length, 2)
  assert.deepEqual([before?.first, before?.after, after?.first], [0n, left.epoch, left.epoch])
}

describe('a bottled mlx5 function', () => {
  it('migrates under a workload into another one, which goes on where it stopped', async () => {
    await using pair = await openBottledPair({ size: mebibyte, rate: mebibyte })
    await migrateAndCheck(pair)
    const steps = (await pair.from.commands()).filter(({ name }) => name === 'SAVE').length
    assert.ok(steps >= 2)
  })

  for (const size of [kibibyte, 5 * kibibyte, 256 * mebibyte]) {
    it(`migrates with a state of ${size / kibibyte} KiB`, async () => {
      await using pair = await openBottledPair({ size, rate: mebibyte })
      await migrateAndCheck(pair)
    })
  }

  it('migrates back, and is the one that goes on', async () => {
    await using pair = await openBottledPair({ size: 64 * kibibyte })
    const { from, to, source, destination } = pair
    await from.step(100)
    await migrate({ from: source, to: destination })
    await to.step(100)
    const { digest } = await to.digest()
    await migrate({ from: destination, to: source })
    assert.deepEqual([(await from.digest()).digest, await from.epoch()], [digest, 200n])
    assert.deepEqual([await source.state(), await destination.state()], ['RUNNING', 'STOP'])
  })

  it('gives out record 0, the initial image, increments and a final one', async () => {
    await using pair = await openBottledPair({ size: 64 * kibibyte })
    const { from, to, source, destination } = pair
    await from.step(3)
    await source.setState('PRE_COPY')
    const parts = [await readAll(source, 'idle')]
    await source.precopyInfo()
    for (const steps of [2, 1]) {
      await from.step(steps)
      await source.precopyInfo()
      parts.push(await readAll(source, 'idle'))
    }
    await from.step(1)
    await source.setState('STOP_COPY')
    parts.push(await readAll(source, 'end'))
    const stream = Buffer.concat(parts)
    const [first, ...images] = recordsOf(stream)
    assert.deepEqual([first?.tag, first?.flags, first?.payload.length], [tags.stopCopySize, 1, 8])
    assert.deepEqual(
      images.map(({ payload }) => pagesOf(payload)),
      [Array.from({ length: 16 }, (_, index) => index), [3, 4], [5], [6]],
    )
    const payloads = images.map(({ payload }) => payload)
    assert.deepEqual(
      payloads.map(image => field(image, 'flags')),
      [2, 3, 3, 7],
    )
    const ids = payloads.map(image => longField(image, 'id'))
    assert.deepEqual(
      payloads.map(image => longField(image, 'base')),
      [0n, ...ids.slice(0, -1)],
    )
    await loadAll(destination, stream)
    assert.deepEqual(await to.digest(), await from.digest())
  })

  it('in chunk mode gives out its final image in several records, and migrates', async () => {
    const chunk_size = 80 + 5 * page
    const capabilities = { migration_in_chunks: true }
    await using pair = await openBottledPair({ size: 64 * kibibyte, chunk_size, capabilities })
    const { from, to, source, destination } = pair
    await from.step(20)
    await source.setState('STOP')
    assert.equal(await source.stopCopyBytes(), 80 + 64 * kibibyte)
    await source.setState('STOP_COPY')
    const images = imagesOf(await readAll(source, 'end'))
    assert.deepEqual(
      images.map(image => [field(image, 'chunk'), field(image, 'flags'), field(image, 'pages')]),
      [
        [0, imageFlags.final, 5],
        [1, imageFlags.final, 5],
        [2, imageFlags.final, 5],
        [3, imageFlags.final | imageFlags.lastChunk, 1],
      ],
    )
    assert.equal(new Set(images.map(image => longField(image, 'id'))).size, 1)
    await source.setState('RUNNING')
    await from.step(100)
    await migrate({ from: source, to: destination })
    assert.deepEqual(await to.digest(), await from.digest())
  })

  it('in chunk mode migrates under a workload with chunks of 8 MiB', async () => {
    const capabilities = { migration_in_chunks: true }
    await using pair = await openBottledPair({ size: 20 * mebibyte, rate: mebibyte, capabilities })
    await migrateAndCheck(pair)
  })

  it('that begins anew in pre-copy says so where it can, and still arrives', async () => {
    const capabilities = { migration_state: true }
    await using pair = await openBottledPair({ size: 64 * kibibyte, capabilities })
    const { from, to, source, destination } = pair
    await source.setState('PRE_COPY')
    const parts = [await readAll(source, 'idle')]
    await from.step(1)
    await from.reinit()
    const { reinit, initialBytes, dirtyBytes } = await source.precopyInfo()
    const bytes = 80 + 64 * kibibyte
    const expected = isAtLeast(7, 1) ? [true, bytes + 16, 0] : [false, 0, bytes]
    assert.deepEqual([reinit, initialBytes, dirtyBytes], expected)
    parts.push(await readAll(source, 'idle'))
    assert.equal((await source.precopyInfo()).reinit, false)
    await source.setState('STOP_COPY')
    parts.push(await readAll(source, 'end'))
    await loadAll(destination, Buffer.concat(parts))
    assert.deepEqual(await to.digest(), await from.digest())
  })

  it('leaves pre-copy again, whether pages are dirty or none', async () => {
    await using pair = await openBottledPair({ size: 64 * kibibyte })
    const { from, source } = pair
    for (const steps of [0, 1]) {
      for (const [state, back] of [
        ['PRE_COPY', 'RUNNING'],
        ['PRE_COPY_P2P', 'RUNNING_P2P'],
      ] as const) {
        await source.setState(state)
        await readAll(source, 'idle')
        if (state === 'PRE_COPY') await from.step(steps)
        await source.setState(back)
        assert.equal(await source.state(), back)
      }
      await source.setState('RUNNING')
    }
  })
})
