// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice, readBytes, write } from '../device.ts'
import { said } from '../numbers.ts'
import type { Rule } from '../rule.ts'

/*
 * Manners of drivers that run nowhere here: hisi_acc, qat, pds. Read in drivers/vfio/pci of Linux 7.2.
 */
const evidence = 'read only'

export const flavours: readonly Rule[] = [
  {
    id: 'stream-length',
    name: 'hisi_acc and qat give out as many bytes as they say that they have',
    where: 'data size',
    evidence,
    needs: { flavours: ['hisi_acc', 'qat'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal((await device.save()).length, await device.calls.dataSize())
    },
  },
  {
    id: 'qat-setup',
    name: 'qat gives out its setup in pre-copy and counts it down; nothing is ever dirty',
    where: 'precopy info',
    evidence,
    needs: { flavours: ['qat'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      const [setup, dirty] = (await info(session)) as [number, number]
      assert.ok(setup > 0)
      assert.equal(dirty, 0)
      await readBytes(session, 5)
      assert.deepEqual(await info(session), [setup - 5, 0])
      assert.equal((await drain(session)).length, setup - 5)
      assert.deepEqual(await info(session), [0, 0])
    },
  },
  {
    id: 'hisi-match-data',
    name: 'hisi_acc takes the 40 bytes of match data for a whole stream, and one byte less for none',
    where: 'target parser',
    evidence,
    needs: { flavours: ['hisi_acc'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const whole = await device.save()
      const session = await device.begin('RESUMING')
      assert.equal(await write(session, whole.subarray(0, 39)), 39)
      assert.equal(await device.answerTo('STOP'), 'EINVAL')
      assert.equal(await write(session, whole.subarray(39, 40)), 1)
      assert.equal(await device.answerTo('STOP'), 0)
    },
  },
  {
    id: 'hisi-refused-again',
    name: 'hisi_acc answers EFAULT to match data of another device, and stays in RESUMING',
    where: 'target parser',
    evidence,
    needs: { flavours: ['hisi_acc'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const whole = await device.save()
      whole.fill(0xff, 0, 8)
      assert.equal(await write(await device.begin('RESUMING'), whole), 'EFAULT')
      assert.equal(await device.state(), 'RESUMING')
    },
  },
  {
    id: 'pds-capacity',
    name: 'pds takes what fits and answers EINVAL to the rest',
    where: 'target parser',
    evidence,
    needs: { flavours: ['pds'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('RESUMING')
      assert.equal(await write(session, Buffer.alloc(65_536)), 65_536)
      assert.equal(await write(session, Buffer.alloc(1)), 'EINVAL')
    },
  },
  {
    id: 'pds-error',
    name: 'after a recovery of its adapter pds that is not RUNNING is in ERROR, answers EIO to every SET, that of ERROR too, until it is reset',
    where: 'state machine',
    evidence,
    needs: { flavours: ['pds'], controls: ['recoverAdapter'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.recoverAdapter()
      assert.equal(await device.answerTo('RUNNING_P2P'), 0)
      await device.go('STOP')
      await device.controls.recoverAdapter()
      assert.equal(await device.state(), 'ERROR')
      for (const state of ['RUNNING', 'STOP', 'ERROR'] as const)
        assert.equal(await device.answerTo(state), 'EIO', state)
      await device.reset()
      assert.equal(await device.state(), 'RUNNING')
      assert.equal(said((await device.go('STOP')).result), 0)
    },
  },
]
