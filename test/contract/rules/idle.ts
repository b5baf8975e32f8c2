// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice, readBytes, readOnce } from '../device.ts'
import { flag } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import type { Flavour } from '../subject.ts'
import { firstRecord, fullImage, increment, recordHeader, shape } from './records.ts'

const mlx5: Evidence = ['mlx5']
const holding: Needs = { flavours: ['mlx5'], flags: flag.PRE_COPY | flag.P2P, controls: ['hold', 'image'] }
const working: Needs = { flavours: ['mlx5'], flags: flag.PRE_COPY | flag.P2P, controls: ['dirty', 'image'] }

/** What a read answers when everything was read and the device is in PRE_COPY. */
const idleAnswers: readonly (readonly [Flavour, answer: string | number, Evidence])[] = [
  ['mlx5', 'ENOMSG', mlx5],
  ['virtio', 'ENOMSG', 'read only'],
  ['mtty', 0, ['mtty']],
  ['hisi_acc', 0, 'read only'],
  ['qat', 0, 'read only'],
]

const idleRules = idleAnswers.flatMap(([flavour, answer, evidence]): Rule[] => [
  {
    id: `idle-${flavour}`,
    name: `${flavour} answers ${answer} in PRE_COPY when everything was read, as often as it is asked`,
    where: 'idle and end',
    evidence,
    needs: { flavours: [flavour], flags: flag.PRE_COPY },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      assert.ok((await drain(session)).length > 0)
      for (let times = 0; times < 3; times++) assert.equal(await readOnce(session), answer)
    },
  },
  {
    id: `idle-p2p-${flavour}`,
    name: `${flavour} answers ${answer} in PRE_COPY_P2P when everything was read`,
    where: 'idle and end',
    evidence,
    needs: { flavours: [flavour], flags: flag.PRE_COPY | flag.P2P },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await device.go('PRE_COPY_P2P')
      assert.ok((await drain(session)).length > 0)
      assert.equal(await readOnce(session), answer)
    },
  },
])

export const idleAndEnd: readonly Rule[] = [
  ...idleRules,
  {
    id: 'end-is-zero',
    name: 'in STOP_COPY the end of the stream is a 0, as often as it is asked for',
    where: 'idle and end',
    evidence: ['mtty', 'mlx5'],
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('STOP_COPY')
      for (let result: number | string = 1; typeof result === 'number' && result > 0;)
        result = await readOnce(session)
      for (let times = 0; times < 3; times++) assert.equal(await readOnce(session), 0)
    },
  },
  {
    id: 'end-after-precopy-is-zero',
    name: 'after pre-copy the end of the stream is a 0 as well',
    where: 'idle and end',
    evidence: ['mtty', 'mlx5'],
    needs: { flags: flag.PRE_COPY },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      await device.go('STOP_COPY')
      for (let result: number | string = 1; typeof result === 'number' && result > 0;)
        result = await readOnce(session)
      assert.equal(await readOnce(session), 0)
    },
  },
  {
    id: 'segments-do-not-matter',
    name: 'read byte by byte a stream is as long as read at once',
    where: 'idle and end',
    evidence: ['mtty', 'mlx5'],
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const { length } = await device.save()
      const session = await device.begin('STOP_COPY')
      const head = await readBytes(session, 1)
      let bytes = head.length
      for (; bytes < 50; bytes++) assert.equal((await session.read(1, 0)).result, 1)
      assert.equal(bytes + (await drain(session)).length, length)
    },
  },
  {
    id: 'stop-copy-stream',
    name: 'without pre-copy mlx5 gives out the announcement and one image',
    where: 'idle and end',
    evidence: mlx5,
    needs: { flavours: ['mlx5'], controls: ['image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.deepEqual(shape(await device.save()), [
        [1, 8],
        [0, fullImage],
      ])
    },
  },
  {
    id: 'images-in-order',
    name: 'with pre-copy mlx5 gives out the announcement, the initial image, the increments and the final one, in order',
    where: 'idle and end',
    evidence: mlx5,
    needs: working,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      const parts = [await drain(session)]
      await device.controls.dirty(2)
      await info(session)
      await info(session) // is answered when the image is made
      parts.push(await drain(session))
      await device.controls.dirty(1)
      await device.go('STOP_COPY')
      parts.push(await drain(session))
      assert.deepEqual(shape(Buffer.concat(parts)), [
        [1, 8],
        [0, fullImage],
        [0, increment(2)],
        [0, increment(1)],
      ])
    },
  },
  {
    id: 'across-records',
    name: 'one read goes on across the records until the queue is empty',
    where: 'idle and end',
    evidence: mlx5,
    needs: { flavours: ['mlx5'], flags: flag.PRE_COPY, controls: ['image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      assert.equal(await readOnce(session), firstRecord + recordHeader + fullImage)
    },
  },
  {
    id: 'announcement-at-once',
    name: 'record 0 is there when the fd is, long before the first SAVE has ended',
    where: 'idle and end',
    evidence: mlx5,
    needs: holding,
    async run(subject) {
      for (const state of ['PRE_COPY', 'STOP_COPY'] as const) {
        await using device = await openDevice(subject)
        const save = await device.controls.hold('SAVE')
        const session = await device.begin(state)
        await save.reached()
        const { result, data } = await session.read(1 << 20, 0)
        assert.equal(result, firstRecord, state)
        assert.deepEqual(
          Buffer.from(data.subarray(0, 16)).toString('hex'),
          '08000000000000000100000001000000',
        )
        await save.release()
      }
    },
  },
  {
    id: 'first-save-is-waited-for',
    name: 'behind record 0 a read waits for the first SAVE: that is neither idle nor the end',
    where: 'idle and end',
    evidence: mlx5,
    needs: holding,
    async run(subject) {
      for (const state of ['PRE_COPY', 'STOP_COPY'] as const) {
        await using device = await openDevice(subject)
        const save = await device.controls.hold('SAVE')
        const session = await device.begin(state)
        await readBytes(session, firstRecord)
        await save.reached()
        const waiting = readOnce(session)
        await save.release()
        assert.equal(await waiting, recordHeader + fullImage, state)
      }
    },
  },
  {
    id: 'final-save-is-waited-for',
    name: 'in STOP_COPY a read waits for the final SAVE, after pre-copy as well',
    where: 'idle and end',
    evidence: mlx5,
    needs: holding,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      const save = await device.controls.hold('SAVE')
      await device.go('STOP_COPY')
      await save.reached()
      const waiting = readOnce(session)
      await save.release()
      assert.equal(await waiting, recordHeader + increment(0))
      assert.equal(await readOnce(session), 0)
    },
  },
  {
    id: 'increment-is-not-waited-for',
    name: 'while an increment is being saved a read that does not block answers ENOMSG, on both kernels',
    where: 'idle and end',
    evidence: mlx5,
    needs: { ...working, controls: ['dirty', 'hold', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      await device.controls.dirty(1)
      const save = await device.controls.hold('SAVE')
      await info(session)
      await save.reached()
      assert.equal(await readOnce(session), 'ENOMSG')
      await save.release()
      await info(session) // waits for the SAVE
      assert.equal(await readOnce(session), recordHeader + increment(1))
    },
  },
]
