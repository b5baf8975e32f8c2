// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { SessionCalls } from '#lib/backend/seam.js'
import { type Device, openDevice, write } from '../device.ts'
import { flag } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'
import type { Subject } from '../subject.ts'
import { mttyParser } from './target_mtty.ts'
import { fullImage, optional, parseRecords, record, recordHeader, tag } from './records.ts'

const where = 'target parser'
const mlx5: Evidence = ['mlx5']
const needs: Needs = { flavours: ['mlx5'] }

/** A device's own state as mlx5's records: the announcement and the image. */
async function savedRecords(device: Device): Promise<{ announcement: Buffer; image: Buffer }> {
  const [announcement, image] = parseRecords(await device.save())
  assert.ok(announcement && image)
  return { announcement: announcement.bytes, image: image.bytes }
}

/** Goes to RESUMING with a state at hand, and proves afterwards that what was loaded runs. */
async function resuming(
  subject: Subject,
  body: (session: SessionCalls, state: { announcement: Buffer; image: Buffer }) => Promise<void>,
): Promise<void> {
  await using device = await openDevice(subject)
  const state = await savedRecords(device)
  await body(await device.begin('RESUMING'), state)
  await device.go('RUNNING')
}

const taken = async (session: SessionCalls, ...pieces: Buffer[]): Promise<void> => {
  for (const piece of pieces) assert.equal(await write(session, piece), piece.length)
}

const data = (image: Buffer, flags = 0): Buffer => record(tag.FW_DATA, flags, image)
const announce = (bytes: Buffer, flags = optional): Buffer => record(tag.STOP_COPY_SIZE, flags, bytes)

/** Streams that mlx5 takes, and runs. */
const accepted: Readonly<Record<string, (state: { announcement: Buffer; image: Buffer }) => Buffer[]>> = {
  'a header in pieces of a byte': ({ announcement, image }) => [
    ...[...announce(announcement)].map(byte => Buffer.of(byte)),
    ...[...data(image).subarray(0, recordHeader)].map(byte => Buffer.of(byte)),
    image,
  ],
  'a write that ends and begins in the middle of a header': ({ announcement, image }) => {
    const stream = Buffer.concat([announce(announcement), data(image)])
    return [stream.subarray(0, 31), stream.subarray(31, 33), stream.subarray(33)]
  },
  'an unknown record that is optional': ({ image }) => [
    record(7, optional, Buffer.alloc(100, 1)),
    data(image),
  ],
  'an unknown record larger than a page': ({ image }) => [
    record(2, optional, Buffer.alloc(9000, 1)),
    data(image),
  ],
  'known tags with the flags of the other': ({ announcement, image }) => [
    announce(announcement, 0),
    data(image, optional),
  ],
  'no announcement': ({ image }) => [data(image)],
  'two announcements': ({ announcement, image }) => [
    announce(announcement),
    announce(announcement),
    data(image),
  ],
  'an announcement longer than it need be': ({ announcement, image }) => [
    announce(Buffer.concat([announcement, Buffer.alloc(24)])),
    data(image),
  ],
  'an announcement of less than comes': ({ image }) => [
    announce(Buffer.from('0100000000000000', 'hex')),
    data(image),
  ],
  'two full images': ({ announcement, image }) => [announce(announcement), data(image), data(image)],
}

/** Streams that mlx5 refuses, at the byte at which it sees it. */
const refused: readonly (readonly [id: string, what: string, stream: Buffer, answer: string])[] = [
  ['mandatory', 'an unknown record that is not optional', record(2, 0, Buffer.alloc(8)), 'EOPNOTSUPP'],
  ['oversize', 'an image of 4 GiB', record(tag.FW_DATA, 0, Buffer.alloc(0), 2n ** 32n), 'ENOMEM'],
  [
    'oversize-optional',
    'an optional record of 4 GiB',
    record(9, optional, Buffer.alloc(0), 2n ** 32n),
    'ENOMEM',
  ],
  [
    'huge',
    'a record of 2^64 - 1 bytes',
    record(tag.STOP_COPY_SIZE, 1, Buffer.alloc(0), 2n ** 64n - 1n),
    'ENOMEM',
  ],
  ['empty', 'an image of no bytes before any other', Buffer.concat([record(tag.FW_DATA, 0, Buffer.alloc(0)), Buffer.alloc(1)]), 'EINVAL'], // prettier-ignore
]

/** Where a stream may be cut: nothing of it, in a header, between records, in an image. */
const cuts = [0, 1, 15, 16, 24, 30, 40, 41, 20_000, 40 + fullImage - 1]

export const targetParser: readonly Rule[] = [
  ...mttyParser,
  ...Object.entries(accepted).map(([what, pieces], index): Rule => ({
    id: `accepts-${index + 1}`,
    name: `mlx5 loads a stream with ${what}`,
    where,
    evidence: mlx5,
    needs,
    run: subject => resuming(subject, (session, state) => taken(session, ...pieces(state))),
  })),
  ...refused.map(([id, what, stream, answer]): Rule => ({
    id: `refuses-${id}`,
    name: `mlx5 answers ${answer} to ${what}, and stays in RESUMING`,
    where,
    evidence: mlx5,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('RESUMING')
      assert.equal(await write(session, stream), answer)
      assert.equal(await write(session, Buffer.alloc(1)), 'ENODEV')
      assert.equal(await device.state(), 'RESUMING')
      assert.equal(await device.answerTo('STOP'), 0)
    },
  })),
  {
    id: 'truncated-mlx5',
    name: 'mlx5 leaves RESUMING with 0 wherever its stream was cut: the kernel proves nothing',
    where,
    evidence: mlx5,
    needs: { flavours: ['mlx5'], controls: ['image'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const stream = await device.save()
      for (const cut of cuts) {
        await taken(await device.begin('RESUMING'), stream.subarray(0, cut))
        assert.equal(await device.answerTo('STOP'), 0, `after ${cut} bytes`)
      }
    },
  },
  {
    id: 'truncated-virtio',
    name: 'virtio leaves RESUMING with 0 where it was given nothing',
    where,
    evidence: 'read only',
    needs: { flavours: ['virtio'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await device.begin('RESUMING')
      assert.equal(await device.answerTo('STOP'), 0)
    },
  },
  {
    id: 'short-hisi-qat',
    name: 'hisi_acc and qat refuse to leave RESUMING with too little: EINVAL',
    where,
    evidence: 'read only',
    needs: { flavours: ['hisi_acc', 'qat'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const session = await device.begin('RESUMING')
      assert.equal(await device.answerTo('STOP'), 'EINVAL')
      assert.equal(await device.state(), 'RESUMING')
      await taken(session, Buffer.alloc(0))
    },
  },
  {
    id: 'too-much',
    name: 'hisi_acc and qat answer ENOMEM to more than they have room for',
    where,
    evidence: 'read only',
    needs: { flavours: ['hisi_acc', 'qat'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await write(await device.begin('RESUMING'), Buffer.alloc(1 << 16)), 'ENOMEM')
    },
  },
  {
    id: 'whole-state-loads',
    name: 'what one device gave out the other takes, in one write and in many, and runs',
    where,
    evidence: ['mtty', 'mlx5'],
    needs: {},
    async run(subject) {
      await using device = await openDevice(subject)
      await using peer = await openDevice(subject)
      const stream = await device.save()
      await taken(await peer.begin('RESUMING'), stream)
      await peer.go('RUNNING')
      const pieces: Buffer[] = []
      const size = Math.ceil(stream.length / 7)
      for (let at = 0; at < stream.length; at += size) pieces.push(stream.subarray(at, at + size))
      await taken(await peer.begin('RESUMING'), ...pieces)
      await peer.go('RUNNING')
    },
  },
  {
    id: 'state-arrives',
    name: 'after pre-copy with increments both devices have one state',
    where,
    evidence: mlx5,
    needs: { flavours: ['mlx5'], flags: flag.PRE_COPY, controls: ['dirty', 'digest'] },
    async run(subject) {
      await using device = await openDevice(subject)
      await using peer = await openDevice(subject)
      const session = await device.begin('PRE_COPY')
      const target = await peer.begin('RESUMING')
      const move = async (): Promise<void> => {
        for (;;) {
          const { result, data: bytes } = await session.read(30_000, 0)
          if (result <= 0) break
          assert.equal(await target.write(bytes), result)
        }
      }
      for (let round = 0; round < 3; round++) {
        await session.precopyInfo()
        await session.precopyInfo() // is answered when the image is made
        await move()
        await device.controls.dirty(round + 1)
      }
      await device.go('STOP_COPY')
      await move()
      await peer.go('STOP')
      assert.equal(await peer.controls.digest(), await device.controls.digest())
      await peer.go('RUNNING')
    },
  },
]
