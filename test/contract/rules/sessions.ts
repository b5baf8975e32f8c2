// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice, readOnce, write } from '../device.ts'
import { flag, type State } from '../numbers.ts'
import type { Needs, Rule } from '../rule.ts'

const shown = ['mtty', 'mlx5'] as const
const precopy = { flags: flag.PRE_COPY }
const bothCopies = { flags: flag.PRE_COPY | flag.P2P }

/** Arcs that end a saving session, with what they need. */
const endings: readonly (readonly [during: State, after: State, needs: Needs])[] = [
  ['STOP_COPY', 'STOP', {}],
  ['PRE_COPY', 'RUNNING', precopy],
  ['PRE_COPY_P2P', 'RUNNING_P2P', bothCopies],
]

const ends = endings.map(([during, after, needs]): Rule => ({
  id: `ends-${during}-${after}`,
  name: `the arc from ${during} to ${after} ends the session, unread bytes and all: reads answer ENODEV`,
  where: 'sessions',
  evidence: shown,
  needs,
  async run(subject) {
    await using device = await openDevice(subject)
    const session = await device.begin(during)
    await device.go(after)
    assert.equal(await readOnce(session), 'ENODEV')
    assert.equal(await device.state(), after)
  },
}))

export const sessions: readonly Rule[] = [
  ...ends,
  {
    id: 'keeps-precopy-p2p',
    name: 'the arcs between PRE_COPY and PRE_COPY_P2P keep the session and give out no fd',
    where: 'sessions',
    evidence: shown,
    needs: bothCopies,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      for (const to of ['PRE_COPY_P2P', 'PRE_COPY', 'PRE_COPY_P2P'] as const) {
        assert.equal((await device.go(to)).session, undefined, to)
        assert.ok((await session.read(4, 0)).result > 0, to)
      }
    },
  },
  {
    id: 'keeps-into-stop-copy',
    name: 'the way from PRE_COPY to STOP_COPY keeps the session: its rest comes out of the same fd, and then its end',
    where: 'sessions',
    evidence: shown,
    needs: precopy,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      assert.ok((await session.read(4, 0)).result > 0)
      assert.equal((await device.go('STOP_COPY')).session, undefined)
      assert.ok((await drain(session)).length > 0)
      assert.equal(await readOnce(session), 0)
    },
  },
  {
    id: 'unread-comes-first',
    name: 'what was not read in PRE_COPY comes before what STOP_COPY adds: no byte is lost by reading late',
    where: 'sessions',
    evidence: shown,
    needs: { flags: flag.PRE_COPY },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await device.go('STOP_COPY')
      const stream = await drain(session)
      await device.go('STOP')
      await using peer = await openDevice(subject)
      const resuming = await peer.begin('RESUMING')
      assert.equal(await write(resuming, stream), stream.length)
      await peer.go('STOP')
    },
  },
  {
    id: 'ends-RESUMING-STOP',
    name: 'the arc from RESUMING to STOP ends the session: writes answer ENODEV',
    where: 'sessions',
    evidence: shown,
    // virtio's driver takes a write to such an fd for one to a session that it has freed.
    needs: { flavours: ['mlx5', 'hisi_acc', 'qat', 'pds', 'xe', 'mtty'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const whole = await device.save()
      const session = await device.begin('RESUMING')
      assert.equal(await write(session, whole), whole.length)
      await device.go('STOP')
      assert.equal(await write(session, Buffer.alloc(1)), 'ENODEV')
    },
  },
  {
    id: 'path-ends-session',
    name: 'a path that leaves the saving group ends the session on its way, wherever it leads',
    where: 'sessions',
    evidence: shown,
    needs: precopy,
    async run(subject) {
      await using device = await openDevice(subject)
      const saving = await device.begin('PRE_COPY')
      const resuming = await device.begin('RESUMING')
      assert.equal(await readOnce(saving), 'ENODEV')
      assert.equal(await readOnce(resuming), 'EBADF')
    },
  },
  {
    id: 'second-session',
    name: 'a second session lives beside the dead fd of the first, which stays dead',
    where: 'sessions',
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const first = await device.begin('STOP_COPY')
      await device.go('STOP')
      const second = await device.begin('STOP_COPY')
      assert.equal(await readOnce(first), 'ENODEV')
      const stream = await drain(second)
      assert.ok(stream.length > 0)
      assert.equal(await readOnce(second), 0)
      assert.equal(await readOnce(first), 'ENODEV')
      await first.close()
      await device.go('STOP')
      assert.equal(await readOnce(second), 'ENODEV')
    },
  },
  {
    id: 'same-state-same-stream',
    name: 'two sessions of a device that did not run in between have streams of one length',
    where: 'sessions',
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const first = await device.save()
      const second = await device.save()
      assert.equal(second.length, first.length)
    },
  },
  {
    id: 'direction',
    name: 'a saving fd takes no write and a resuming fd gives no read: EBADF',
    where: 'sessions',
    evidence: ['core'],
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      const saving = await device.begin('STOP_COPY')
      assert.equal(await write(saving, Buffer.alloc(8)), 'EBADF')
      assert.ok((await saving.read(1, 0)).result > 0)
      await device.go('STOP')
      const resuming = await device.begin('RESUMING')
      assert.equal(await readOnce(resuming), 'EBADF')
    },
  },
  {
    id: 'resuming-has-no-info',
    name: 'a resuming fd has no precopy info: ENOTTY',
    where: 'sessions',
    evidence: shown,
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await info(await device.begin('RESUMING')), 'ENOTTY')
    },
  },
  {
    id: 'no-precopy-no-info',
    name: 'the saving fd of a driver without PRE_COPY has no precopy info either: ENOTTY',
    where: 'sessions',
    evidence: 'read only',
    needs: { flavours: ['pds', 'xe'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await info(await device.begin('STOP_COPY')), 'ENOTTY')
    },
  },
]
