// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice, readOnce } from '../device.ts'
import { flag, type Errno } from '../numbers.ts'
import type { Needs, Rule } from '../rule.ts'
import { fullImage, recordHeader, shape } from './records.ts'

const needs: Needs = {
  flavours: ['mlx5'],
  flags: flag.PRE_COPY | flag.P2P,
  controls: ['failStatus', 'image'],
}
const evidence = ['mlx5'] as const

/** drivers/net/ethernet/mellanox/mlx5/core/cmd.c, cmd_status_to_err. */
const statuses: readonly (readonly [Errno, ...number[]])[] = [
  ['EIO', 0x1, 0x4, 0x50, 0x51, 0x77],
  ['EINVAL', 0x2, 0x3, 0x5, 0x9, 0xa, 0x10, 0x30, 0x40],
  ['EBUSY', 0x6],
  ['EAGAIN', 0x7, 0xf],
  ['ENOMEM', 0x8],
]

const hex = (status: number): string => `0x${status.toString(16)}`

const synchronous = statuses.map(([errno, ...codes]): Rule => ({
  id: `status-${errno}`,
  name: `a command that is waited for answers ${errno} when it ends with ${codes.map(hex).join(', ')}`,
  where: 'firmware status',
  evidence,
  needs,
  async run(subject) {
    await using device = await openDevice(subject)
    for (const code of codes) {
      await device.controls.failStatus('SUSPEND_INITIATOR', code)
      assert.equal(await device.answerTo('RUNNING_P2P'), errno, hex(code))
    }
    await device.go('RUNNING_P2P')
  },
}))

export const firmwareStatus: readonly Rule[] = [
  ...synchronous,
  {
    id: 'status-save',
    name: 'a SAVE that fails kills the session whatever its status, but 0x9 in pre-copy: reads answer ENODEV',
    where: 'firmware status',
    evidence,
    needs,
    async run(subject) {
      for (const code of [0x1, 0x3, 0x6, 0x8, 0xf]) {
        await using device = await openDevice(subject)
        await device.controls.failStatus('SAVE', code)
        const session = await device.begin('PRE_COPY')
        assert.equal(await info(session), 'ENODEV', hex(code))
        assert.equal(await readOnce(session), 'ENODEV', hex(code))
        assert.equal(await device.answerTo('RUNNING'), 'ENODEV', hex(code))
        await device.reset()
      }
    },
  },
  {
    id: 'status-final-save',
    name: 'a final SAVE that fails shows after the SET that answered 0: reads answer ENODEV, 0x9 or not',
    where: 'firmware status',
    evidence,
    needs,
    async run(subject) {
      for (const code of [0x1, 0x9]) {
        await using device = await openDevice(subject)
        const session = await device.begin('PRE_COPY')
        await info(session)
        await drain(session)
        await device.controls.failStatus('SAVE', code)
        await device.go('STOP_COPY')
        assert.equal(await readOnce(session), 'ENODEV', hex(code))
        assert.equal(await device.state(), 'STOP_COPY')
        await device.go('STOP')
      }
    },
  },
  {
    id: 'fallback-first',
    name: 'an initial SAVE that ends with 0x9 ends pre-copy silently: record 0, ENOMSG, and nothing to be announced',
    where: 'fallback',
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.failStatus('SAVE', 0x9)
      const session = await device.begin('PRE_COPY')
      assert.deepEqual(await info(session), [24, 0])
      assert.equal(await readOnce(session), 24)
      assert.equal(await readOnce(session), 'ENOMSG')
      assert.deepEqual(await info(session), [0, 0])
    },
  },
  {
    id: 'fallback-saves-all',
    name: 'after it STOP_COPY saves the full image',
    where: 'fallback',
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.failStatus('SAVE', 0x9)
      const session = await device.begin('PRE_COPY')
      await info(session)
      const head = await drain(session)
      await device.go('STOP_COPY')
      assert.deepEqual(shape(Buffer.concat([head, await drain(session)])), [
        [1, 8],
        [0, fullImage],
      ])
      assert.equal(await readOnce(session), 0)
    },
  },
  {
    id: 'fallback-increment',
    name: 'an increment that ends with 0x9 is the last one: no page is announced again, and STOP_COPY saves all',
    where: 'fallback',
    evidence,
    needs: { ...needs, controls: ['failStatus', 'dirty', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      await device.controls.dirty(1)
      await device.controls.failStatus('SAVE', 0x9)
      await info(session)
      assert.deepEqual(await info(session), [0, 0])
      assert.equal(await readOnce(session), 'ENOMSG')
      await device.go('STOP_COPY')
      assert.equal((await drain(session)).length, recordHeader + fullImage)
    },
  },
  {
    id: 'fallback-gives-up',
    name: 'after a fallback PRE_COPY may be left for RUNNING as ever',
    where: 'fallback',
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.failStatus('SAVE', 0x9)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await device.go('RUNNING')
      assert.equal(await readOnce(session), 'ENODEV')
      assert.ok((await device.save()).length > fullImage)
    },
  },
]
