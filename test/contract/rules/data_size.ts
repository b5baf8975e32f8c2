// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice } from '../device.ts'
import { flag, said, statesWith } from '../numbers.ts'
import type { Evidence, Rule } from '../rule.ts'
import type { Flavour } from '../subject.ts'
import { firstRecord, fullImage, recordHeader } from './records.ts'

const where = 'data size'

/** Drivers that answer one number whatever the device does. */
const fixed: readonly (readonly [Flavour, bytes: number, Evidence])[] = [
  ['mtty', 60, ['mtty']],
  ['hisi_acc', 176, 'read only'],
  ['qat', 4096, 'read only'],
  ['pds', 65536, 'read only'],
]

const inEveryState = (flavour: Flavour, bytes: number, evidence: Evidence, needsImage: boolean): Rule => ({
  id: `size-${flavour}`,
  name: `${flavour} answers ${bytes} bytes in every state`,
  where,
  evidence,
  needs: { flavours: [flavour], ...(needsImage && { controls: ['image'] }) },
  async run(subject) {
    await using device = await openDevice(subject)
    for (const state of statesWith(subject.flags)) {
      await device.reset()
      await device.go(state)
      assert.equal(said(await device.calls.dataSize()), bytes, state)
    }
  },
})

export const dataSize: readonly Rule[] = [
  ...fixed.map(([flavour, bytes, evidence]) => inEveryState(flavour, bytes, evidence, false)),
  inEveryState('mlx5', fullImage, ['mlx5'], true),
  {
    id: 'size-is-without-headers',
    name: 'mlx5 answers the image alone: the stream has the headers beside it',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5'], controls: ['image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const bytes = await device.calls.dataSize()
      assert.equal((await device.save()).length, firstRecord + recordHeader + bytes)
    },
  },
  {
    id: 'size-after-precopy',
    name: 'mlx5 answers the full image although most of it was given out in pre-copy',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5'], flags: flag.PRE_COPY, controls: ['image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      assert.equal(await device.calls.dataSize(), fullImage)
      await device.go('STOP_COPY')
      assert.equal(await device.calls.dataSize(), fullImage)
    },
  },
  {
    id: 'size-is-the-stream',
    name: 'mtty answers the length of its stream',
    where,
    evidence: ['mtty'],
    needs: { flavours: ['mtty'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal((await device.save()).length, await device.calls.dataSize())
    },
  },
  {
    id: 'size-announced',
    name: 'record 0 announces whole pages: the image, and a tenth more where pre-copy lets it grow',
    where,
    evidence: ['mlx5'],
    needs: { flavours: ['mlx5'], flags: flag.PRE_COPY, controls: ['image'] },
    async run(subject) {
      for (const [state, announced] of [
        ['STOP_COPY', 69_632],
        ['PRE_COPY', 73_728],
      ] as const) {
        await using device = await openDevice(subject)
        const session = await device.begin(state)
        await info(session)
        const stream = await drain(session)
        assert.equal(Number(stream.readBigUInt64LE(recordHeader)), announced, state)
      }
    },
  },
]
