// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { info, openDevice, readOnce, write } from '../device.ts'
import { flag, said } from '../numbers.ts'
import type { Rule } from '../rule.ts'

const shown = ['mtty', 'mlx5'] as const
const precopy = { flags: flag.PRE_COPY }

export const closing: readonly Rule[] = [
  {
    id: 'closed-fd-keeps-state',
    name: 'closing the saving fd ends nothing: the state stays, and a later arc goes on without a reader',
    where: 'sessions',
    evidence: shown,
    needs: precopy,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await session.close()
      assert.equal(await device.state(), 'PRE_COPY')
      assert.equal((await device.go('STOP_COPY')).session, undefined)
      await device.go('STOP')
      assert.ok((await device.save()).length > 0)
    },
  },
  {
    id: 'closed-fd-in-stop-copy',
    name: 'closing the fd in STOP_COPY loses the data, not the device: STOP and STOP_COPY give them out anew',
    where: 'sessions',
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('STOP_COPY')
      await session.close()
      assert.equal((await device.go('STOP_COPY')).session, undefined)
      assert.equal(await device.state(), 'STOP_COPY')
      await device.go('STOP')
      assert.ok((await device.save()).length > 0)
    },
  },
  {
    id: 'closed-fd-in-resuming',
    name: 'closing the resuming fd leaves the device in RESUMING',
    where: 'sessions',
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('RESUMING')
      await session.close()
      assert.equal(await device.state(), 'RESUMING')
      await device.reset()
      assert.equal(await device.state(), 'RUNNING')
    },
  },
  {
    id: 'session-closed-first',
    name: 'after its close a session answers EBADF, and ENODEV to precopy info; the device goes on',
    where: 'sessions',
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('STOP_COPY')
      await Promise.all([session.close(), session.close()])
      assert.deepEqual([await readOnce(session), await write(session, Buffer.alloc(1))], ['EBADF', 'EBADF'])
      assert.equal(await info(session), 'ENODEV')
      assert.equal(await device.state(), 'STOP_COPY')
    },
  },
  {
    id: 'device-closed-first',
    name: 'the close of the device is the close of its sessions',
    where: 'sessions',
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('STOP_COPY')
      await device.reset()
      await device.calls.close()
      assert.deepEqual([await readOnce(session), await info(session)], ['EBADF', 'ENODEV'])
      assert.equal(said(await device.calls.getState()), 'EBADF')
      await session.close()
    },
  },
]
