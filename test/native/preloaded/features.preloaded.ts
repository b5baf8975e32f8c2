// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { DeviceCalls } from '#lib/backend/seam.js'
import { kernel } from './kernel.js'
import { E, RUNNING, open, scenario } from './scenario.js'

const get = 0x10000
const set = 0x20000
const page = 4096n

describe('a feature', () => {
  scenario('is probed without data', async () => {
    const device = await open()
    assert.equal(await device.probe(2, get | set), 0)
    assert.equal(await device.probe(1, set), -E.EINVAL)
    assert.equal(await device.probe(11, get), -E.ENOTTY)
    kernel.set(0, { logging: false })
    assert.equal(await device.probe(6, set), -E.ENOTTY)
    assert.equal(kernel.lines('PROBE', 'feature').length, 4)
  })

  scenario('of migration is absent on a device that cannot migrate', async () => {
    const device = await open()
    kernel.set(0, { flags: 0 })
    assert.equal(await device.migrationFlags(), -E.ENOTTY)
    assert.equal(await device.getState(), -E.ENOTTY)
    assert.equal(await device.dataSize(), -E.ENOTTY)
  })

  scenario('of sizes knows more than 32 bits', async () => {
    const device = await open()
    kernel.set(0, { datasize: 5_000_000_000 })
    assert.equal(await device.dataSize(), 5_000_000_000)
  })

  scenario('whose size no double can hold answers EOVERFLOW', async () => {
    const device = await open()
    kernel.tell('set 0 datasize 0x20000000000001')
    assert.equal(await device.dataSize(), -E.EOVERFLOW)
  })

  scenario('INFOv2 is ENOTTY on an old kernel and EINVAL without PRE_COPY', async () => {
    const device = await open()
    kernel.set(0, { flags: 3 })
    assert.equal(await device.optInPrecopyInfoV2(), -E.EINVAL)
    kernel.set('*', { kernel: 612 })
    assert.equal(await device.optInPrecopyInfoV2(), -E.ENOTTY)
  })
})

const calls: Readonly<Record<string, (device: DeviceCalls) => Promise<number>>> = {
  GET_INFO: async device => (await device.deviceInfo()).result,
  GET_REGION_INFO: async device => (await device.regionInfo(0)).result,
  pread: async device => (await device.regionRead(0, 1, 1)).result,
  pwrite: device => device.regionWrite(0, new Uint8Array(1), 1),
  PROBE: device => device.probe(1, get),
  MIGRATION: device => device.migrationFlags(),
  GET_STATE: device => device.getState(),
  SET_STATE: async device => (await device.setStates([1])).result,
  DATA_SIZE: device => device.dataSize(),
  INFOV2: device => device.optInPrecopyInfoV2(),
  LOG_START: device => device.dmaLoggingStart(4096, new BigUint64Array([0n, page])),
  LOG_STOP: device => device.dmaLoggingStop(),
  LOG_REPORT: async device => (await device.dmaLoggingReport(0n, page, 4096)).result,
  RESET: device => device.reset(),
}

const errnos = [
  'EPERM',
  'EIO',
  'EINTR',
  'EAGAIN',
  'EBUSY',
  'ENODEV',
  'ENOTTY',
  'ETIMEDOUT',
  'ENOTCONN',
] as const

describe('a call on the device', () => {
  for (const [operation, call] of Object.entries(calls)) {
    scenario(`answers the errno of the kernel after one request: ${operation}`, async () => {
      const device = await open()
      for (const [i, name] of errnos.entries()) {
        kernel.rule(0, operation, 'fail', E[name])
        assert.equal(await call(device), -E[name])
        assert.equal(kernel.lines(`${operation} `).length, i + 1)
      }
    })
  }
})

describe('DMA logging', () => {
  scenario('starts with ranges behind a pointer and answers the page size chosen', async () => {
    const device = await open()
    const ranges = new BigUint64Array([0n, 16n * page, 1n << 40n, page, (1n << 64n) - page, page])
    assert.equal(await device.dmaLoggingStart(4096, ranges), 4096)
    assert.deepEqual(kernel.lines('log start', 'range'), [
      'log start page_size=1000 ranges=3',
      'range 0 10000',
      'range 10000000000 1000',
      'range fffffffffffff000 1000',
    ])
    assert.equal(await device.dmaLoggingStart(1 << 22, new BigUint64Array([0n, 1n << 22n])), 4096)
    assert.equal(await device.dmaLoggingStop(), 0)
  })

  scenario('passes the refusals of ranges on', async () => {
    const device = await open()
    const start = (...ranges: bigint[]) => device.dmaLoggingStart(4096, new BigUint64Array(ranges))
    assert.equal(await start(), -E.EINVAL)
    assert.equal(await start(1n, page), -E.EINVAL)
    assert.equal(await start(0n, page, 0n, page), -E.EINVAL)
    assert.equal(await start((1n << 64n) - page, 2n * page), -E.EOVERFLOW)
    const many = Array.from({ length: 257 }, (_, i) => [BigInt(i) * page, page]).flat()
    assert.equal(await start(...many), -E.E2BIG)
    assert.equal(await start(...many.slice(2)), 4096)
  })

  scenario('reports one bit a page, the lowest bit first, in words of 64', async () => {
    const device = await open()
    const base = 1n << 40n
    await device.dmaLoggingStart(4096, new BigUint64Array([base, 130n * page]))
    for (const at of [0n, 1n, 63n, 64n, 129n]) kernel.tell(`dirty 0 0x${(base + at * page).toString(16)}`)
    const { result, bitmap } = await device.dmaLoggingReport(base, 130n * page, 4096)
    assert.ok(result >= 0)
    assert.deepEqual([...bitmap], [(1n << 63n) | 3n, 1n, 2n])
    assert.deepEqual([...(await device.dmaLoggingReport(base, 130n * page, 4096)).bitmap], [0n, 0n, 0n])
  })

  scenario('reports at the top of the address space', async () => {
    const device = await open()
    const base = (1n << 64n) - 2n * page
    await device.dmaLoggingStart(4096, new BigUint64Array([base, 2n * page]))
    kernel.tell(`dirty 0 0x${(base + page).toString(16)}`)
    assert.deepEqual([...(await device.dmaLoggingReport(base, 2n * page, 4096)).bitmap], [2n])
  })

  scenario(
    'refuses a report that needs no bitmap or one too large, as the kernel would or sooner',
    async () => {
      const device = await open()
      const report = async (iova: bigint, length: bigint, size: number) =>
        (await device.dmaLoggingReport(iova, length, size)).result
      assert.equal(await report(0n, 0n, 4096), -E.EINVAL)
      assert.equal(await report(0n, page, 1024), -E.EINVAL)
      assert.equal(await report(0n, page, 12288), -E.EINVAL)
      assert.equal(await report(0n, (1n << 64n) - 1n, 4096), -E.E2BIG)
      assert.equal(await report(0n, page, 4096), -E.EINVAL)
    },
  )
})

describe('deviceInfo', () => {
  scenario('answers for drivers that know the capabilities and for those that do not', async () => {
    const device = await open()
    assert.deepEqual({ ...(await device.deviceInfo()) }, { result: 0, flags: 3, numRegions: 9, numIrqs: 5 })
    kernel.set(0, { mtty: true })
    assert.deepEqual({ ...(await device.deviceInfo()) }, { result: 0, flags: 2, numRegions: 9, numIrqs: 5 })
  })
})

/** A capability: its header (id, version 1, next) and words of 32 bits. */
function capability(id: number, next: number, ...words: number[]): string {
  const bytes = Buffer.alloc(8 + 4 * words.length)
  bytes.writeUInt16LE(id, 0)
  bytes.writeUInt16LE(1, 2)
  bytes.writeUInt32LE(next, 4)
  words.forEach((word, i) => bytes.writeUInt32LE(word >>> 0, 8 + 4 * i))
  return bytes.toString('hex')
}

const typeCap = 2
const sparseCap = 1

describe('regionInfo', () => {
  scenario('answers where a region lies', async () => {
    const device = await open()
    const info = await device.regionInfo(7)
    assert.deepEqual([info.result, info.flags, info.size, info.offset], [0, 3, 256, 7 * 2 ** 40])
    assert.equal(info.type ?? info.sparse, undefined)
    assert.equal((await device.regionInfo(99)).result, -E.EINVAL)
  })

  scenario('asks again with the room that a chain of capabilities needs', async () => {
    const device = await open()
    const chain =
      capability(99, 40) +
      capability(typeCap, 56, 3, 1) +
      capability(sparseCap, 0, 2, 0, 0, 1, 4096, 0, 8192, 1, 0, 2)
    kernel.tell(`region 0 9 32 ${chain}`)
    const info = await device.regionInfo(9)
    assert.deepEqual(kernel.lines('region info'), [
      'region info 9 argsz=32',
      `region info 9 argsz=${32 + chain.length / 2}`,
    ])
    assert.deepEqual({ ...info.type }, { type: 3, subtype: 1 })
    assert.deepEqual(
      info.sparse?.map(area => ({ ...area })),
      [
        { offset: 2 ** 32, size: 4096 },
        { offset: 2 ** 32 + 8192, size: 2 ** 33 },
      ],
    )
  })

  const malformed: Readonly<Record<string, readonly [offset: number, chain: string]>> = {
    'a chain that points at itself': [32, capability(typeCap, 32, 3, 1)],
    'a chain that goes back': [48, capability(99, 0, 0, 0) + capability(typeCap, 32, 3, 1)],
    'a first capability out of bounds': [0x7fffffff, capability(typeCap, 0, 3, 1)],
    'a next capability out of bounds': [32, capability(typeCap, 0xfffffff0, 3, 1)],
    'a header cut off': [44, capability(typeCap, 0, 3, 1)],
    'a TYPE cut off': [32, capability(typeCap, 0, 3)],
    'a SPARSE_MMAP cut off': [32, capability(sparseCap, 0, 1)],
    'more areas than there are': [32, capability(sparseCap, 0, 2, 0, 0, 0, 4096, 0)],
    'more areas than there could be': [32, capability(sparseCap, 0, 0xffffffff, 0, 0, 0, 4096, 0)],
  }
  for (const [what, [offset, chain]] of Object.entries(malformed)) {
    scenario(`answers EIO for ${what}`, async () => {
      const device = await open()
      kernel.tell(`region 0 9 ${offset} ${chain}`)
      assert.equal((await device.regionInfo(9)).result, -E.EIO)
    })
  }

  scenario('answers EOVERFLOW for an area that no double can hold', async () => {
    const device = await open()
    kernel.tell(`region 0 9 32 ${capability(sparseCap, 0, 1, 0, 0, 0x80000000, 4096, 0)}`)
    assert.equal((await device.regionInfo(9)).result, -E.EOVERFLOW)
  })
})

describe('region access', () => {
  scenario('is made in units of the width that is asked for', async () => {
    const device = await open()
    const offset = 7 * 2 ** 40 + 16
    assert.equal(await device.regionWrite(offset, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4), 8)
    const { result, data } = await device.regionRead(offset, 8, 2)
    assert.equal(result, 8)
    assert.deepEqual([...data], [1, 2, 3, 4, 5, 6, 7, 8])
    assert.deepEqual(kernel.lines('pread', 'pwrite'), [
      'pwrite 0 7+10 bytes=4 = 4',
      'pwrite 0 7+14 bytes=4 = 4',
      'pread 0 7+10 bytes=2 = 2',
      'pread 0 7+12 bytes=2 = 2',
      'pread 0 7+14 bytes=2 = 2',
      'pread 0 7+16 bytes=2 = 2',
    ])
  })

  scenario('stops at the first access that fails', async () => {
    const device = await open()
    kernel.rule(0, 'pwrite', 'fail', E.EIO, 2)
    assert.equal(await device.regionWrite(0, new Uint8Array(4), 1), -E.EIO)
    kernel.rule(0, 'pread', 'fail', E.EFAULT, 2)
    const { result, data } = await device.regionRead(0, 4, 1)
    assert.deepEqual([result, data.length], [-E.EFAULT, 0])
    assert.equal(kernel.lines('pread', 'pwrite').length, 4)
  })

  scenario('is EIO where an access is torn', async () => {
    const device = await open()
    kernel.rule(0, 'pread', 'cut', 1)
    assert.equal((await device.regionRead(0, 4, 4)).result, -E.EIO)
    kernel.rule(0, 'pwrite', 'cut', 1)
    assert.equal(await device.regionWrite(0, new Uint8Array(4), 4), -E.EIO)
  })

  scenario('leaves the state alone', async () => {
    const device = await open()
    await device.regionRead(0, 0, 1)
    assert.equal(await device.getState(), RUNNING)
  })
})
