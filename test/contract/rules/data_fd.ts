// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice } from '../device.ts'
import { flag, said } from '../numbers.ts'
import type { Evidence, Rule } from '../rule.ts'
import type { Flavour } from '../subject.ts'
import { firstRecord, fullImage, increment, recordHeader } from './records.ts'

/*
 * What a data_fd is beside read, write and its ioctl: raw system calls, which the seam does not make.
 */
const where = 'data_fd'
const shown: Evidence = ['mtty', 'mlx5']
const mlx5: Evidence = ['mlx5']
const precopyInfo = 0x3b79
const raw = { controls: ['raw'] } as const
const rawPrecopy = { ...raw, flags: flag.PRE_COPY | flag.P2P } as const

/** struct vfio_precopy_info. */
function infoBytes(argsz: number, flags: number, filler = 0): Uint8Array {
  const bytes = Buffer.alloc(32, filler)
  bytes.writeUInt32LE(argsz, 0)
  bytes.writeUInt32LE(flags, 4)
  return bytes
}

/** The name of each driver's anonymous inode. */
const links: readonly (readonly [Flavour, link: string, Evidence])[] = [
  ['mlx5', 'anon_inode:mlx5vf_mig', mlx5],
  ['mtty', 'anon_inode:mtty_mig', ['mtty']],
]

export const dataFd: readonly Rule[] = [
  ...links.map(([flavour, link, evidence]): Rule => ({
    id: `fd-link-${flavour}`,
    name: `a data_fd of ${flavour} is ${link}`,
    where,
    evidence,
    needs: { ...raw, flavours: [flavour] },
    async run(subject) {
      await using device = await openDevice(subject)
      for (const state of ['STOP_COPY', 'RESUMING'] as const) {
        const session = await device.begin(state)
        assert.equal(device.controls.raw().link.replace(/[[\]]/g, ''), link)
        await session.close()
      }
    },
  })),
  {
    id: 'fd-flags',
    name: 'a data_fd is closed on exec; a saving one is read only, a resuming one write only',
    where,
    evidence: ['core'],
    needs: raw,
    async run(subject) {
      await using device = await openDevice(subject)
      const [closeOnExec, accessMode] = [0o2000000, 3]
      for (const [state, access] of [
        ['STOP_COPY', 0],
        ['RESUMING', 1],
      ] as const) {
        const session = await device.begin(state)
        const { openFlags } = device.controls.raw()
        assert.deepEqual([openFlags & closeOnExec, openFlags & accessMode], [closeOnExec, access], state)
        await session.close()
      }
    },
  },
  {
    id: 'fd-no-position',
    name: 'a data_fd has no position: lseek, pread and pwrite answer ESPIPE',
    where,
    evidence: shown,
    needs: raw,
    async run(subject) {
      await using device = await openDevice(subject)
      for (const state of ['STOP_COPY', 'RESUMING'] as const) {
        const session = await device.begin(state)
        const fd = device.controls.raw()
        const answers = [await fd.lseek(), await fd.pread(), await fd.pwrite()]
        assert.deepEqual(answers.map(said), ['ESPIPE', 'ESPIPE', 'ESPIPE'], state)
        await session.close()
      }
    },
  },
  {
    id: 'fd-no-splice',
    name: 'a saving fd cannot be spliced: EINVAL',
    where,
    evidence: shown,
    needs: raw,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.begin('STOP_COPY')
      assert.equal(said(await device.controls.raw().spliceOut()), 'EINVAL')
    },
  },
  {
    id: 'fd-no-epoll',
    name: 'epoll refuses with EPERM a data_fd that has no poll handler: the saving one of mtty, and every resuming one',
    where,
    evidence: shown,
    needs: raw,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('STOP_COPY')
      assert.equal(said(await device.controls.raw().epollAdd()), subject.flavour === 'mlx5' ? 0 : 'EPERM')
      await session.close()
      await device.begin('RESUMING')
      assert.equal(said(await device.controls.raw().epollAdd()), 'EPERM')
    },
  },
  ...(['6.12', '7.2'] as const).map((kernel): Rule => ({
    id: `fd-blocking-read-${kernel}`,
    name: `while an increment is being saved a blocking read ${kernel === '6.12' ? 'answers ENOMSG' : 'waits for it'} on ${kernel}`,
    where,
    evidence: mlx5,
    needs: {
      flavours: ['mlx5'],
      flags: flag.PRE_COPY,
      kernels: [kernel],
      controls: ['raw', 'hold', 'dirty', 'image'],
    },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      await device.controls.dirty(1)
      const save = await device.controls.hold('SAVE')
      await info(session)
      await save.reached()
      const read = device.controls.raw().blockingRead(1 << 20)
      await read.reached
      if (kernel === '6.12') assert.equal(said(await read.result), 'ENOMSG')
      await save.release()
      if (kernel === '7.2') assert.equal(await read.result, recordHeader + increment(1))
    },
  })),
  {
    id: 'fd-blocking-first',
    name: 'a blocking read waits for the first SAVE on both kernels',
    where,
    evidence: mlx5,
    needs: { flavours: ['mlx5'], flags: flag.PRE_COPY, controls: ['raw', 'hold', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const save = await device.controls.hold('SAVE')
      const session = await device.begin('PRE_COPY')
      await session.read(firstRecord, 0)
      await save.reached()
      const read = device.controls.raw().blockingRead(1 << 20)
      await read.reached
      await save.release()
      assert.equal(await read.result, recordHeader + fullImage)
    },
  },
  {
    id: 'info-order',
    name: 'precopy info looks at the request first, then at its memory, its size and only then at the state',
    where,
    evidence: shown,
    needs: rawPrecopy,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.begin('STOP_COPY')
      const fd = device.controls.raw()
      assert.equal(said((await fd.ioctl(precopyInfo + 1, infoBytes(24, 0))).result), 'ENOTTY')
      assert.equal(said((await fd.ioctl(precopyInfo)).result), 'EFAULT')
      assert.equal(said((await fd.ioctl(precopyInfo, infoBytes(23, 0))).result), 'EINVAL')
      assert.equal(said((await fd.ioctl(precopyInfo, infoBytes(24, 0))).result), 'EINVAL')
    },
  },
  {
    id: 'info-echo',
    name: 'flags come back as they were given where nobody opted into INFOv2; argsz as well, and nothing behind 24 bytes',
    where,
    evidence: shown,
    needs: rawPrecopy,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.begin('PRE_COPY')
      const { result, bytes } = await device.controls.raw().ioctl(precopyInfo, infoBytes(32, 0xabcd, 0xee))
      const after = Buffer.from(bytes)
      assert.equal(said(result), 0)
      assert.deepEqual([after.readUInt32LE(0), after.readUInt32LE(4)], [32, 0xabcd])
      assert.deepEqual(after.subarray(24), Buffer.alloc(8, 0xee))
    },
  },
  {
    id: 'info-flags-output',
    name: 'flags are the kernel’s after the opt-in: what was given is overwritten, and the reset keeps it so',
    where,
    evidence: shown,
    needs: { ...rawPrecopy, kernels: ['7.2'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.calls.optInPrecopyInfoV2()
      await device.reset()
      await device.begin('PRE_COPY')
      const { result, bytes } = await device.controls.raw().ioctl(precopyInfo, infoBytes(24, 0xabcd))
      assert.deepEqual([said(result), Buffer.from(bytes).readUInt32LE(4)], [0, 0])
    },
  },
  {
    id: 'info-resuming-order',
    name: 'a resuming fd answers ENOTTY to precopy info before it looks at anything',
    where,
    evidence: shown,
    needs: raw,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.begin('RESUMING')
      assert.equal(said((await device.controls.raw().ioctl(precopyInfo)).result), 'ENOTTY')
    },
  },
  {
    id: 'fd-sticky-mlx5',
    name: 'after a write that mlx5 refused the kernel answers ENODEV to every other',
    where,
    evidence: mlx5,
    needs: { ...raw, flavours: ['mlx5'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.begin('RESUMING')
      const fd = device.controls.raw()
      const unknown = Buffer.from('00000000000000000000000063000000', 'hex')
      assert.equal(said(await fd.write(unknown)), 'EOPNOTSUPP')
      assert.equal(said(await fd.write(unknown)), 'ENODEV')
    },
  },
]
