// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { drain, info, openDevice, readBytes, readOnce } from '../device.ts'
import { flag, said } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import { firstRecord, fullImage, parseRecords, recordHeader } from './records.ts'

const mlx5: Evidence = ['mlx5']
const both = flag.PRE_COPY | flag.P2P
const chunks: Needs = { flavours: ['mlx5'], flags: both, controls: ['chunks', 'image'] }
const reinit: Needs = { flavours: ['mlx5'], flags: both, kernels: ['7.2'], controls: ['reinit', 'image'] }
const detach: Needs = { flavours: ['mlx5'], flags: both, controls: ['detach', 'image'] }

const chunkBytes = 16_384
/** As many whole pages as fit, behind the header of the image. */
const chunkImage = 80 + 3 * 4096
const inChunks = { chunkBytes }

/** Bytes of all images of a stream, and how many there are. */
function images(stream: Buffer): { count: number; largest: number } {
  const sizes = parseRecords(stream).filter(({ tag }) => tag === 0).map(({ bytes }) => bytes.length) // prettier-ignore
  return { count: sizes.length, largest: Math.max(...sizes) }
}

const chunkMode: readonly Rule[] = [
  {
    id: 'chunks-stream',
    name: 'in chunk mode the image of STOP_COPY comes in several records, none larger than a chunk may be',
    where: 'chunk mode',
    evidence: mlx5,
    needs: chunks,
    async run(subject) {
      await using device = await openDevice(subject, inChunks)
      const { count, largest } = images(await drainSlowly(await device.begin('STOP_COPY')))
      assert.ok(count > 1, `${count} records`)
      assert.ok(largest < fullImage, `${largest} bytes`)
    },
  },
  {
    id: 'chunks-precopy-whole',
    name: 'in chunk mode what the initial SAVE gives is one record still',
    where: 'chunk mode',
    evidence: mlx5,
    needs: chunks,
    async run(subject) {
      await using device = await openDevice(subject, inChunks)
      const session = await device.begin('PRE_COPY')
      await info(session)
      assert.equal(images(await drain(session)).count, 1)
    },
  },
  {
    id: 'chunks-size',
    name: 'in chunk mode the data size is that of all chunks',
    where: 'chunk mode',
    evidence: mlx5,
    needs: chunks,
    async run(subject) {
      await using device = await openDevice(subject, inChunks)
      assert.ok((await device.calls.dataSize()) >= fullImage)
    },
  },
  {
    id: 'chunks-two-ahead',
    name: 'in chunk mode two chunks are saved ahead, and the third when one of them was read to its end',
    where: 'chunk mode',
    evidence: mlx5,
    needs: { ...chunks, controls: ['chunks', 'image', 'failStatus'] },
    async run(subject) {
      await using device = await openDevice(subject, inChunks)
      await device.controls.failStatus('SAVE', 0x1, 3)
      const session = await device.begin('STOP_COPY')
      const first = firstRecord + recordHeader + chunkImage
      await readBytes(session, first - 1)
      // Had the third been begun, the session would be dead by now, or by the next time the second is read.
      assert.equal((await session.read(1, 0)).result, 1)
      for (let result: number | string = 1; result !== 'ENODEV';) {
        result = await readOnce(session, 1000)
        assert.notEqual(result, 0)
      }
    },
  },
  {
    id: 'chunks-load',
    name: 'what came in chunks is loaded in chunks, and runs',
    where: 'chunk mode',
    evidence: mlx5,
    needs: chunks,
    async run(subject) {
      await using device = await openDevice(subject, inChunks)
      await using peer = await openDevice(subject, inChunks)
      const session = await device.begin('STOP_COPY')
      const target = await peer.begin('RESUMING')
      for (;;) {
        const { result, data } = await session.read(5000, 0)
        if (result <= 0) break
        assert.equal(await target.write(data), result)
      }
      await peer.go('RUNNING')
    },
  },
]

async function drainSlowly(session: Parameters<typeof drain>[0]): Promise<Buffer> {
  return await drain(session, 3000)
}

const reinitRules: readonly Rule[] = [
  {
    id: 'reinit-told',
    name: 'who opted into INFOv2 is told that the device starts over: all of it is initial again',
    where: 'REINIT',
    evidence: mlx5,
    needs: reinit,
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(said(await device.calls.optInPrecopyInfoV2()), 0)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      await device.controls.reinit()
      const { result, initialBytes, dirtyBytes, flags } = await session.precopyInfo()
      assert.deepEqual([result, initialBytes, dirtyBytes, flags], [0, fullImage + recordHeader, 0, 1])
      const after = await session.precopyInfo()
      assert.deepEqual([after.initialBytes, after.dirtyBytes, after.flags], [fullImage + recordHeader, 0, 0])
      assert.equal((await readBytes(session, recordHeader + fullImage)).length, recordHeader + fullImage)
      assert.deepEqual(await info(session), [0, 0])
    },
  },
  {
    id: 'reinit-unread',
    name: 'what was unread when it started over is initial as well, and the new image is saved behind it',
    where: 'REINIT',
    evidence: mlx5,
    needs: reinit,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.calls.optInPrecopyInfoV2()
      const session = await device.begin('PRE_COPY')
      await info(session)
      await readBytes(session, firstRecord)
      await device.controls.reinit()
      const image = recordHeader + fullImage
      const { initialBytes, dirtyBytes, flags } = await session.precopyInfo()
      assert.deepEqual([initialBytes, dirtyBytes, flags], [2 * image, 0, 1])
      await info(session)
      assert.equal((await drain(session)).length, 2 * image)
    },
  },
  {
    id: 'reinit-untold',
    name: 'who did not opt in sees the same as ordinary dirty bytes',
    where: 'REINIT',
    evidence: mlx5,
    needs: reinit,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      await device.controls.reinit()
      const { initialBytes, dirtyBytes, flags } = await session.precopyInfo()
      assert.deepEqual([initialBytes, dirtyBytes, flags], [0, fullImage + recordHeader, 0])
    },
  },
  {
    id: 'infov2-survives-reset',
    name: 'the opt-in survives a reset',
    where: 'REINIT',
    evidence: mlx5,
    needs: reinit,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.calls.optInPrecopyInfoV2()
      await device.reset()
      const session = await device.begin('PRE_COPY')
      await info(session)
      await drain(session)
      await device.controls.reinit()
      assert.equal((await session.precopyInfo()).flags, 1)
    },
  },
  {
    id: 'infov2-ends-with-close',
    name: 'the opt-in is gone after the last close',
    where: 'REINIT',
    evidence: mlx5,
    needs: { ...reinit, controls: ['reinit', 'reopen', 'image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.calls.optInPrecopyInfoV2()
      await device.calls.close()
      const calls = await device.controls.reopen()
      const { session } = await calls.setStates([6])
      assert.ok(session)
      await info(session)
      await drain(session)
      await device.controls.reinit()
      assert.equal((await session.precopyInfo()).flags, 0)
      await session.close()
    },
  },
]

const detached: readonly Rule[] = [
  {
    id: 'detach-calls',
    name: 'when the PF takes its function away every command is ENOTCONN, and GET of the state answers still',
    where: 'detached PF',
    evidence: mlx5,
    needs: detach,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.controls.detach()
      assert.equal(await device.answerTo('STOP'), 'ENOTCONN')
      assert.equal(await device.answerTo('PRE_COPY'), 'ENOTCONN')
      assert.equal(said(await device.calls.dataSize()), 'ENOTCONN')
      assert.equal(await device.state(), 'RUNNING')
      await device.controls.attach()
      await device.go('STOP', 'RUNNING')
    },
  },
  {
    id: 'detach-session',
    name: 'it ends the session as well: the fd is dead, the state stays',
    where: 'detached PF',
    evidence: mlx5,
    needs: detach,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('STOP_COPY')
      await readOnce(session)
      await device.controls.detach()
      assert.equal(await readOnce(session), 'ENODEV')
      assert.equal(await device.state(), 'STOP_COPY')
      await device.controls.attach()
      await device.reset()
    },
  },
]

export const mlx5Modes: readonly Rule[] = [...chunkMode, ...reinitRules, ...detached]
