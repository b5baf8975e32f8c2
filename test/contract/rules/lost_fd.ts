// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '../device.ts'
import { flag, said, stateNumbers } from '../numbers.ts'
import type { Rule } from '../rule.ts'

const where = 'sessions'
const shown = ['mtty', 'mlx5'] as const

/** What the core does after the driver has made the arcs (vfio_main.c, vfio_ioct_mig_return_fd). */
export const lostFd: readonly Rule[] = [
  {
    id: 'emfile-after-the-fact',
    name: 'where no fd can be given out the SET is EMFILE, and the state has moved all the same',
    where,
    evidence: shown,
    needs: { controls: ['setWithoutFd'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(said(await device.controls.setWithoutFd(stateNumbers.STOP_COPY)), 'EMFILE')
      assert.equal(await device.state(), 'STOP_COPY')
    },
  },
  {
    id: 'emfile-and-on',
    name: 'nobody has the fd of that session: leaving the state and entering it again gives out another',
    where,
    evidence: shown,
    needs: { flags: flag.PRE_COPY, controls: ['setWithoutFd'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(said(await device.controls.setWithoutFd(stateNumbers.PRE_COPY)), 'EMFILE')
      assert.equal((await device.go('PRE_COPY')).session, undefined)
      const session = await device.begin('RUNNING', 'PRE_COPY')
      assert.ok((await session.read(4, 0)).result > 0)
    },
  },
  {
    id: 'efault-after-the-fact',
    name: 'where the answer cannot be written back the SET is EFAULT, and the state has moved, with a session and without',
    where,
    evidence: ['core'],
    needs: { controls: ['setReadOnly'] },
    async run(subject) {
      await using device = await openDevice(subject)
      for (const state of ['STOP', 'RUNNING', 'STOP_COPY'] as const) {
        assert.equal(said(await device.controls.setReadOnly(stateNumbers[state])), 'EFAULT')
        assert.equal(await device.state(), state)
      }
      assert.equal((await device.go('STOP_COPY')).session, undefined)
    },
  },
]
