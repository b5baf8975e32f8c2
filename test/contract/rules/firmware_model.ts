// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { type Device, drain, info, openDevice, write } from '../device.ts'
import { flag } from '../numbers.ts'
import type { Needs, Rule } from '../rule.ts'
import type { Subject } from '../subject.ts'
import { parseRecords, record, tag } from './records.ts'

/*
 * What the simulated firmware makes of images (docs/firmware-model.md), as the driver above it passes it on.
 */
const where = 'firmware model'
const evidence = ['mlx5'] as const
const needs: Needs = {
  flavours: ['mlx5'],
  flags: flag.PRE_COPY | flag.P2P,
  controls: ['dirty', 'digest', 'image'],
}

/** Offset of the image's fields. */
const at = { magic: 0, size: 8, firstPage: 80 } as const

/** The images that a device gives out in pre-copy and after it: a full one, an increment, the final one. */
async function savedImages(device: Device): Promise<Buffer[]> {
  const session = await device.begin('PRE_COPY')
  await info(session)
  const parts = [await drain(session)]
  await device.controls.dirty(2)
  await info(session)
  await info(session) // is answered when the image is made
  parts.push(await drain(session))
  await device.controls.dirty(1)
  await device.go('STOP_COPY')
  parts.push(await drain(session))
  await device.go('STOP')
  const records = parseRecords(Buffer.concat(parts))
  return records.filter(one => one.tag === tag.FW_DATA).map(({ bytes }) => bytes)
}

const image = (bytes: Buffer): Buffer => record(tag.FW_DATA, 0, bytes)

/** Loads `images` into another device, of which the last answers so. */
async function load(subject: Subject, images: readonly Buffer[], answer: string | number): Promise<void> {
  await using target = await openDevice(subject)
  const session = await target.begin('RESUMING')
  for (const bytes of images.slice(0, -1))
    assert.equal(await write(session, image(bytes)), image(bytes).length)
  const last = image(images.at(-1) ?? Buffer.alloc(0))
  assert.equal(await write(session, last), answer === 0 ? last.length : answer)
}

function changed(bytes: Buffer, offset: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[offset] = (copy[offset] ?? 0) ^ 0xff
  return copy
}

/** Sequences of images that end in one that is refused. */
const refused: readonly (readonly [id: string, what: string, pick: (all: Buffer[]) => Buffer[], answer: string])[] = [
  ['magic', 'an image with another magic number', ([full]) => [changed(full as Buffer, at.magic)], 'EINVAL'],
  ['length', 'an image that is longer than it says', ([full]) => [Buffer.concat([full as Buffer, Buffer.alloc(8)])], 'EINVAL'],
  ['page', 'an image with a changed page', ([full]) => [changed(full as Buffer, at.firstPage + 100)], 'EINVAL'],
  ['no-base', 'an increment without what it goes on top of', ([, increment]) => [increment as Buffer], 'EINVAL'],
  ['skipped', 'an image after one that was left out', ([full, , last]) => [full as Buffer, last as Buffer], 'EINVAL'],
  ['twice', 'an increment for the second time', ([full, increment]) => [full as Buffer, increment as Buffer, increment as Buffer], 'EINVAL'],
] // prettier-ignore

export const firmwareModel: readonly Rule[] = [
  ...refused.map(([id, what, pick, answer]): Rule => ({
    id: `load-${id}`,
    name: `${what} is ${answer} in the write of its last byte`,
    where,
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await load(subject, pick(await savedImages(device)), answer)
    },
  })),
  {
    id: 'load-in-order',
    name: 'all images in order are loaded',
    where,
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await load(subject, await savedImages(device), 0)
    },
  },
  {
    id: 'load-other-size',
    name: 'the image of a device of another size is EIO',
    where,
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const [full] = await savedImages(device)
      await using target = await openDevice(subject, { sizeKiB: 32 })
      assert.equal(await write(await target.begin('RESUMING'), image(full ?? Buffer.alloc(0))), 'EIO')
    },
  },
  {
    id: 'half-state-does-not-run',
    name: 'a state of which the final image is missing leaves RESUMING and does not leave STOP: EIO until a reset',
    where,
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const [full] = await savedImages(device)
      await using target = await openDevice(subject)
      await write(await target.begin('RESUMING'), image(full ?? Buffer.alloc(0)))
      await target.go('STOP')
      assert.equal(await target.answerTo('RUNNING'), 'EIO')
      assert.equal(await target.state(), 'STOP')
      await target.reset()
      await target.go('STOP', 'RUNNING')
    },
  },
]
