// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { type Device, drain, info, openDevice, readBytes, readOnce } from '../device.ts'
import { flag } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import { increment, recordHeader } from './records.ts'

const where = 'precopy info'
const mlx5: Evidence = ['mlx5']
const both = flag.PRE_COPY | flag.P2P
const working: Needs = { flavours: ['mlx5'], flags: both, controls: ['dirty', 'image'] }

/** In PRE_COPY with everything read. */
async function drained(device: Device): Promise<SessionCalls> {
  const session = await device.begin('PRE_COPY')
  await info(session)
  await drain(session)
  return session
}

/** Only 7.2 counts the 16 bytes of header that the increment will have. */
const announced = (
  [
    ['6.12', 0],
    ['7.2', recordHeader],
  ] as const
).map(
  // prettier-ignore
  ([kernel, header]): Rule => ({
    id: `info-increment-${kernel}`,
    name: `on ${kernel} mlx5 announces an increment ${header === 0 ? 'without' : 'with'} its header, and saves it because it was asked`,
    where,
    evidence: mlx5,
    needs: { ...working, kernels: [kernel] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await drained(device)
      await device.controls.dirty(2)
      assert.deepEqual(await info(session), [0, increment(2) + header])
      await info(session) // is answered when the image is made
      assert.equal((await readBytes(session, recordHeader + increment(2))).length, recordHeader + increment(2))
      assert.deepEqual(await info(session), [0, 0])
    },
  }),
)

export const increments: readonly Rule[] = [
  ...announced,
  {
    id: 'info-clean',
    name: 'where no page is dirty nothing is announced and nothing is made',
    where,
    evidence: mlx5,
    needs: working,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await drained(device)
      assert.deepEqual(await info(session), [0, 0])
      assert.equal(await readOnce(session), 'ENOMSG')
    },
  },
  {
    id: 'increments-only-by-asking',
    name: 'the next image is made by asking for it and by nothing else',
    where,
    evidence: mlx5,
    needs: working,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await drained(device)
      await device.controls.dirty(3)
      for (let times = 0; times < 5; times++) assert.equal(await readOnce(session), 'ENOMSG')
      await info(session)
      await info(session) // is answered when the image is made
      assert.equal(await readOnce(session), recordHeader + increment(3))
    },
  },
  {
    id: 'info-unread',
    name: 'while bytes are unread the dirty pages are counted with them, and no second image is made',
    where,
    evidence: mlx5,
    needs: working,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await drained(device)
      await device.controls.dirty(2)
      await info(session)
      await device.controls.dirty(1)
      const unread = recordHeader + increment(2)
      assert.deepEqual(await info(session), [0, unread + increment(1)])
      assert.equal((await drain(session)).length, unread)
    },
  },
  {
    id: 'info-p2p',
    name: 'in PRE_COPY_P2P mlx5 counts what is unread and asks the firmware nothing',
    where,
    evidence: mlx5,
    needs: working,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await drained(device)
      await device.controls.dirty(2)
      await device.go('PRE_COPY_P2P')
      assert.deepEqual(await info(session), [0, 0])
      assert.equal(await readOnce(session), 'ENOMSG')
      await device.go('PRE_COPY')
      const [, dirty] = (await info(session)) as [number, number]
      assert.ok(dirty >= increment(2))
    },
  },
  {
    id: 'info-never-both',
    name: 'mlx5 never answers initial and dirty bytes at once',
    where,
    evidence: mlx5,
    needs: working,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      for (let round = 0; round < 12; round++) {
        const [initialBytes, dirtyBytes] = (await info(session)) as [number, number]
        assert.ok(initialBytes === 0 || dirtyBytes === 0, `${initialBytes} and ${dirtyBytes}`)
        await device.controls.dirty(1)
        await session.read(20_000, 0)
      }
    },
  },
]
