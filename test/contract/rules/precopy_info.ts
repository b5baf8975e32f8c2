// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice, readBytes } from '../device.ts'
import { flag } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import { firstRecord, fullImage, recordHeader } from './records.ts'

const where = 'precopy info'
const mlx5: Evidence = ['mlx5']
const shown: Evidence = ['mtty', 'mlx5']
const both = flag.PRE_COPY | flag.P2P
const working: Needs = { flavours: ['mlx5'], flags: both, controls: ['dirty', 'image'] }

const initial = firstRecord + recordHeader + fullImage

/** How many bytes a driver gives out before it stops: `initial_bytes` counts them down. */
const headers: readonly (readonly ['mtty' | 'hisi_acc', bytes: number, Evidence])[] = [
  ['mtty', 24, ['mtty']],
  ['hisi_acc', 40, 'read only'],
]

const headerRules = headers.map(([flavour, bytes, evidence]): Rule => ({
  id: `info-${flavour}`,
  name: `${flavour} counts ${bytes} initial bytes down as they are read, and none dirty`,
  where,
  evidence,
  needs: { flavours: [flavour], flags: flag.PRE_COPY },
  async run(subject) {
    await using device = await openDevice(subject)
    const session = await device.begin('PRE_COPY')
    assert.deepEqual(await info(session), [bytes, 0])
    await readBytes(session, 10)
    assert.deepEqual(await info(session), [bytes - 10, 0])
    await drain(session)
    assert.deepEqual(await info(session), [0, 0])
  },
}))

export const precopyInfo: readonly Rule[] = [
  ...headerRules,
  {
    id: 'info-mtty-p2p',
    name: 'mtty answers in PRE_COPY_P2P as in PRE_COPY',
    where,
    evidence: ['mtty'],
    needs: { flavours: ['mtty'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY_P2P')
      assert.deepEqual(await info(session), [24, 0])
      await device.go('PRE_COPY')
      assert.deepEqual(await info(session), [24, 0])
    },
  },
  {
    id: 'info-hisi-p2p',
    name: 'a driver without P2P is asked in PRE_COPY alone',
    where,
    evidence: 'read only',
    needs: { flavours: ['hisi_acc'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await device.answerTo('PRE_COPY_P2P'), 'EINVAL')
      assert.deepEqual(await info(await device.begin('PRE_COPY')), [40, 0])
    },
  },
  {
    id: 'info-initial',
    name: 'mlx5 waits for the initial image and counts it down with record 0; what is dirty meanwhile is not told',
    where,
    evidence: mlx5,
    needs: working,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      assert.deepEqual(await info(session), [initial, 0])
      await device.controls.dirty(3)
      await readBytes(session, 1000)
      assert.deepEqual(await info(session), [initial - 1000, 0])
      await readBytes(session, initial - 1001)
      assert.deepEqual(await info(session), [1, 0])
    },
  },
  {
    id: 'info-waits-for-save',
    name: 'the first question is answered when the initial SAVE has ended',
    where,
    evidence: mlx5,
    needs: { ...working, controls: ['hold', 'image', 'questionWaits'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const save = await device.controls.hold('SAVE')
      const session = await device.begin('PRE_COPY')
      await save.reached()
      const asking = info(session)
      await device.controls.questionWaits()
      assert.equal((await readBytes(session, firstRecord)).length, firstRecord)
      await save.release()
      assert.deepEqual(await asking, [recordHeader + fullImage, 0])
    },
  },
  {
    id: 'info-outside-precopy',
    name: 'outside of the pre-copy states there is no precopy info: EINVAL',
    where,
    evidence: shown,
    needs: { flags: flag.PRE_COPY },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await device.go('STOP_COPY')
      assert.equal(await info(session), 'EINVAL')
      await device.go('RUNNING')
      assert.equal(await info(session), 'EINVAL')
      assert.equal(await info(await device.begin('STOP_COPY')), 'EINVAL')
    },
  },
  {
    id: 'info-dead-fd',
    name: 'a dead fd answers ENODEV while a newer session is in PRE_COPY, and EINVAL in any other state',
    where,
    evidence: shown,
    needs: { flags: flag.PRE_COPY },
    async run(subject) {
      await using device = await openDevice(subject)
      const old = await device.begin('PRE_COPY')
      await device.go('RUNNING')
      assert.equal(await info(old), 'EINVAL')
      const newer = await device.begin('PRE_COPY')
      assert.equal(await info(old), 'ENODEV')
      assert.equal(typeof (await info(newer)), 'object')
      await device.go('STOP_COPY')
      assert.equal(await info(old), 'EINVAL')
    },
  },
  {
    id: 'info-flags-zero',
    name: 'flags are 0 where nobody opted into INFOv2, and where the device does not start over',
    where,
    evidence: shown,
    needs: { flags: flag.PRE_COPY, kernels: ['7.2'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      assert.equal((await session.precopyInfo()).flags, 0)
      await device.calls.optInPrecopyInfoV2()
      assert.equal((await session.precopyInfo()).flags, 0)
    },
  },
]
