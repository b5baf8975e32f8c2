// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice, write } from '../device.ts'
import type { Rule } from '../rule.ts'

/*
 * mtty's stream by samples/vfio-mdev/mtty.c: 24 bytes of header and 36 of one port.
 */
const where = 'target parser'
const evidence = ['mtty'] as const
const needs = { flavours: ['mtty'] } as const
const headerBytes = 24
const streamBytes = 60

/** Bytes of the header that the driver looks at, with another value in each. */
const wrong: readonly (readonly [field: string, at: number])[] = [
  ['magic number', 0],
  ['major version', 8],
  ['minor version', 12],
  ['number of ports', 16],
  ['flags', 20],
]

const wrongHeaders = wrong.map(([field, at]): Rule => ({
  id: `mtty-${field.replaceAll(' ', '-')}`,
  name: `mtty answers EFAULT to another ${field}, when the header is complete`,
  where,
  evidence,
  needs,
  async run(subject) {
    await using device = await openDevice(subject)
    const stream = await device.save()
    stream[at] = (stream[at] ?? 0) + 1
    const session = await device.begin('RESUMING')
    assert.equal(await write(session, stream.subarray(0, headerBytes - 1)), headerBytes - 1)
    assert.equal(await write(session, stream.subarray(headerBytes - 1)), 'EFAULT')
    assert.equal(await device.state(), 'RESUMING')
  },
}))

export const mttyParser: readonly Rule[] = [
  ...wrongHeaders,
  {
    id: 'mtty-short',
    name: 'mtty refuses to leave RESUMING before its last byte has come, and goes on taking bytes',
    where,
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const stream = await device.save()
      const session = await device.begin('RESUMING')
      let written = 0
      for (const cut of [0, 1, headerBytes, streamBytes - 1]) {
        assert.equal(await write(session, stream.subarray(written, cut)), cut - written)
        written = cut
        assert.equal(await device.answerTo('STOP'), 'EINVAL', `after ${cut} bytes`)
        assert.equal(await device.state(), 'RESUMING')
      }
      assert.equal(await write(session, stream.subarray(written)), 1)
      await device.go('RUNNING')
    },
  },
  {
    id: 'mtty-too-long',
    name: 'mtty answers ENOMEM to a write past its end and takes nothing of it',
    where,
    evidence,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const stream = await device.save()
      const session = await device.begin('RESUMING')
      assert.equal(await write(session, Buffer.concat([stream, Buffer.alloc(1)])), 'ENOMEM')
      assert.equal(await device.answerTo('STOP'), 'EINVAL')
    },
  },
  {
    id: 'mtty-not-sticky',
    name: 'mtty takes the bytes of a header that it refused, and leaves RESUMING with them',
    where,
    evidence,
    needs: { ...needs, controls: ['raw'] },
    async run(subject) {
      await using device = await openDevice(subject)
      const stream = await device.save()
      stream[0] = 0
      const session = await device.begin('RESUMING')
      assert.equal(await write(session, stream.subarray(0, headerBytes)), 'EFAULT')
      const rest = stream.subarray(headerBytes)
      assert.equal(await device.controls.raw().write(rest), rest.length)
      assert.equal(await device.answerTo('STOP'), 0)
    },
  },
]
