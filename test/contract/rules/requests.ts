// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice, type Device } from '../device.ts'
import { GET, SET, said, stateNumbers } from '../numbers.ts'
import type { Evidence, Needs, Rule } from '../rule.ts'

/*
 * VFIO_DEVICE_FEATURE as it is laid out, and the order of its checks: raw ioctls on the device fd, which the seam does
 * not make, because it gets them right.
 */
const where = 'features'
const core: Evidence = ['core']
const needs: Needs = { controls: ['rawDevice'] }
const deviceFeature = 0x3b75
const PROBE = 0x40000
const [MIGRATION, DEVICE_STATE, UNKNOWN] = [1, 2, 100]

function request(argsz: number, flags: number, ...words: number[]): Buffer {
  const bytes = Buffer.alloc(8 + 4 * words.length)
  bytes.writeUInt32LE(argsz, 0)
  bytes.writeUInt32LE(flags >>> 0, 4)
  words.forEach((word, index) => bytes.writeUInt32LE(word >>> 0, 8 + 4 * index))
  return bytes
}

async function ask(device: Device, bytes?: Uint8Array): Promise<number | string> {
  return said((await device.controls.rawDevice(deviceFeature, bytes)).result)
}

/** Requests that break rules, and the answer of the one that is looked at first. */
const malformed: readonly (readonly [id: string, what: string, bytes: Buffer | undefined, answer: string])[] =
  [
    ['null', 'a null pointer', undefined, 'EFAULT'],
    [
      'argsz',
      'an argsz below the header, though the feature is unknown',
      request(7, UNKNOWN | GET),
      'EINVAL',
    ],
    [
      'reserved',
      'a reserved flag, though the feature is unknown',
      request(16, UNKNOWN | GET | 0x80000, 0, 0),
      'EINVAL',
    ],
    [
      'both',
      'GET and SET at once, though the feature is unknown',
      request(16, UNKNOWN | GET | SET, 0, 0),
      'EINVAL',
    ],
    ['unknown', 'an unknown feature with neither GET nor SET', request(8, UNKNOWN), 'ENOTTY'],
    ['offer', 'SET of what can only be read', request(16, MIGRATION | SET, 0, 0), 'EINVAL'],
    ['neither', 'neither GET nor SET nor PROBE', request(16, DEVICE_STATE, 0, 0), 'EINVAL'],
    ['short', 'an argsz with too little room for the data', request(12, MIGRATION | GET, 0), 'EINVAL'],
  ]

const malformedRules = malformed.map(([id, what, bytes, answer]): Rule => ({
  id: `feature-${id}`,
  name: `VFIO_DEVICE_FEATURE with ${what} is ${answer}`,
  where,
  evidence: core,
  needs,
  async run(subject) {
    await using device = await openDevice(subject)
    assert.equal(await ask(device, bytes), answer)
    assert.equal(await device.state(), 'RUNNING')
  },
}))

export const requests: readonly Rule[] = [
  ...malformedRules,
  {
    id: 'feature-probe-reads-nothing',
    name: 'PROBE looks at the header alone: 8 bytes are enough, and nothing is written',
    where,
    evidence: core,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await ask(device, request(8, MIGRATION | GET | PROBE)), 0)
      const { result, bytes } = await device.controls.rawDevice(
        deviceFeature,
        request(16, DEVICE_STATE | GET | PROBE, 77, 78),
      )
      assert.deepEqual([result, Buffer.from(bytes)], [0, request(16, DEVICE_STATE | GET | PROBE, 77, 78)])
    },
  },
  {
    id: 'feature-large-argsz',
    name: 'an argsz larger than the feature needs is as good',
    where,
    evidence: core,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      const { result, bytes } = await device.controls.rawDevice(
        deviceFeature,
        request(24, MIGRATION | GET, 0, 0, 0xeeee, 0xeeee),
      )
      assert.equal(result, 0)
      assert.deepEqual(Buffer.from(bytes), request(24, MIGRATION | GET, subject.flags, 0, 0xeeee, 0xeeee))
    },
  },
  {
    id: 'feature-get-state',
    name: 'GET of the state ignores what it is given and answers the state with no fd: -1',
    where,
    evidence: core,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      await device.go('STOP')
      const { result, bytes } = await device.controls.rawDevice(
        deviceFeature,
        request(16, DEVICE_STATE | GET, 99, 99),
      )
      assert.equal(result, 0)
      assert.deepEqual(Buffer.from(bytes).subarray(8), request(0, 0, stateNumbers.STOP, -1).subarray(8))
    },
  },
  {
    id: 'feature-set-write-back',
    name: 'SET writes back the state that was asked for and the fd -1, where it succeeds without one and where it fails',
    where,
    evidence: core,
    needs,
    async run(subject) {
      await using device = await openDevice(subject)
      for (const [asked, answer] of [
        [stateNumbers.STOP, 0],
        [stateNumbers.ERROR, 'EINVAL'],
        [99, 'EINVAL'],
      ] as const) {
        const { result, bytes } = await device.controls.rawDevice(
          deviceFeature,
          request(16, DEVICE_STATE | SET, asked, 55),
        )
        assert.equal(said(result), answer, `${asked}`)
        assert.deepEqual(Buffer.from(bytes).subarray(8), request(0, 0, asked, -1).subarray(8), `${asked}`)
      }
      assert.equal(await device.state(), 'STOP')
    },
  },
  {
    id: 'feature-malformed-without-migration',
    name: 'a device without migration answers ENOTTY before it looks at the operation or the size',
    where,
    evidence: core,
    needs: { ...needs, flavours: ['none'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(await ask(device, request(8, MIGRATION)), 'ENOTTY')
      assert.equal(await ask(device, request(8, MIGRATION | SET)), 'ENOTTY')
      assert.equal(await ask(device, request(8, DEVICE_STATE | GET)), 'ENOTTY')
    },
  },
  {
    id: 'unknown-device-ioctl',
    name: 'a request that the device does not know is ENOTTY',
    where,
    evidence: core,
    needs: { ...needs, flavours: ['mlx5', 'mtty', 'none'] },
    async run(subject) {
      await using device = await openDevice(subject)
      assert.equal(said((await device.controls.rawDevice(0x3b7a, Buffer.alloc(64))).result), 'ENOTTY')
    },
  },
]
