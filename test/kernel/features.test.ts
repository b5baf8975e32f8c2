// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { openDevice } from '#lib/index.js'
import { reachableStates } from './grid.ts'
import { createMtty } from './mtty.ts'
import { openMtty } from './opened.ts'
import { isAtLeast } from './release.ts'
import { openSeam } from './seam.ts'
import { bindToVfioPci } from './vf.ts'

const [GET, SET] = [0x10000, 0x20000]
const [ok, E2BIG, EINVAL, ENOTTY, EOVERFLOW] = [0, -7, -22, -25, -75]
const hasInfoV2 = isAtLeast(7, 1)

describe('the features of mtty', () => {
  // Feature numbers of vfio.h.
  const probes: readonly [number, number, number, string][] = [
    [0, SET, ENOTTY, 'VFIO_DEVICE_FEATURE_PCI_VF_TOKEN'],
    [1, GET, ok, 'VFIO_DEVICE_FEATURE_MIGRATION'],
    [1, SET, EINVAL, 'VFIO_DEVICE_FEATURE_MIGRATION'],
    [2, GET | SET, ok, 'VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE'],
    [6, SET, ok, 'VFIO_DEVICE_FEATURE_DMA_LOGGING_START'],
    [6, GET, EINVAL, 'VFIO_DEVICE_FEATURE_DMA_LOGGING_START'],
    [7, SET, ok, 'VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP'],
    [8, GET, ok, 'VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT'],
    [9, GET, ok, 'VFIO_DEVICE_FEATURE_MIG_DATA_SIZE'],
    [11, GET, ENOTTY, 'VFIO_DEVICE_FEATURE_DMA_BUF'],
    [12, SET, hasInfoV2 ? ok : ENOTTY, 'VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2'],
    [1000, 0, ENOTTY, 'a feature that there is not'],
  ]

  for (const [feature, operations, answer, name] of probes) {
    const how = ['', 'GET', 'SET', 'GET and SET'][operations >> 16] || 'presence'
    it(`answer ${answer} to a probe of ${name} for ${how}`, async () => {
      await using mtty = await createMtty()
      await using seam = await openSeam(mtty.uuid)
      assert.equal(await seam.calls.probe(feature, operations), answer)
    })
  }

  it('are STOP_COPY, P2P, PRE_COPY and DMA logging', async () => {
    await using opened = await openMtty()
    const capabilities = { stopCopy: true, p2p: true, preCopy: true, dmaLogging: true }
    assert.deepEqual(opened.device.capabilities, capabilities)
  })

  for (const [type, bytes] of [
    ['mtty-1', 60],
    ['mtty-2', 96],
  ] as const) {
    it(`say in every state that ${type} has ${bytes} bytes to give`, async () => {
      await using opened = await openMtty(type)
      const { device } = opened
      for (const state of reachableStates) {
        await device.reset()
        await device.setState(state)
        assert.equal(await device.stopCopyBytes(), bytes, state)
      }
    })
  }
})

describe('precopy info', () => {
  it('is opted into in its second form where the kernel has it, unless told otherwise', async () => {
    await using opened = await openMtty()
    assert.equal(opened.device.precopyInfoV2, hasInfoV2)
    await using declined = await openMtty('mtty-1', { precopyInfoV2: false })
    assert.equal(declined.device.precopyInfoV2, false)
  })

  it('counts the initial bytes down from 24 to 0, and what is read ahead', async () => {
    await using opened = await openMtty()
    const { device } = opened
    await device.setState('PRE_COPY')
    const unread = { initialBytes: 24, dirtyBytes: 0, bufferedBytes: 0, reinit: false }
    assert.deepEqual(await device.precopyInfo(), unread)
    for await (const chunk of device.savingStream.chunks({ until: 'idle' })) assert.equal(chunk.length, 24)
    assert.deepEqual(await device.precopyInfo(), { ...unread, initialBytes: 0 })
  })

  it('is answered in the pre-copy states only', async () => {
    await using opened = await openMtty()
    const { device } = opened
    await device.setState('PRE_COPY_P2P')
    assert.equal((await device.precopyInfo()).initialBytes, 24)
    await device.setState('STOP_COPY')
    await assert.rejects(device.precopyInfo(), { code: 'EINVAL', request: 'VFIO_MIG_GET_PRECOPY_INFO' })
    await device.setState('STOP')
    await assert.rejects(device.precopyInfo(), { code: 'ERR_VFIO_NO_SESSION' })
  })
})

describe('DMA logging on mtty, which has no DMA', () => {
  const page = 4096n

  it('starts with any page size, reports no page, and stops as often as it is told', async () => {
    await using opened = await openMtty()
    const { dmaLogging } = opened.device
    const range = { iova: 0x10000n, length: 128n * page }
    assert.deepEqual(await dmaLogging.start({ pageSize: 8192, ranges: [range] }), { pageSize: 8192 })
    assert.deepEqual(await dmaLogging.report({ ...range, pageSize: 4096 }), new BigUint64Array(2))
    await dmaLogging.stop()
    await dmaLogging.stop()
    assert.deepEqual(await dmaLogging.report({ ...range, pageSize: 4096 }), new BigUint64Array(2))
  })

  it('answers a whole word for a page more than the word before', async () => {
    await using opened = await openMtty()
    const report = await opened.device.dmaLogging.report({ iova: 0n, length: 65n * page, pageSize: 4096 })
    assert.deepEqual(report, new BigUint64Array(2))
  })

  const many = (count: number): [bigint, bigint][] =>
    Array.from({ length: count }, (_, index) => [BigInt(index) * page, page])
  const starts: readonly [string, [bigint, bigint][], number][] = [
    ['256 ranges', many(256), 4096],
    ['257 ranges', many(257), E2BIG],
    ['no range', [], EINVAL],
    ['a range off the page', [[1n, page]], EINVAL],
    [
      'two ranges that overlap',
      [
        [0n, 2n * page],
        [page, page],
      ],
      EINVAL,
    ],
    ['a range past the end of all addresses', [[2n ** 64n - page, 2n * page]], EOVERFLOW],
  ]
  for (const [what, ranges, answer] of starts) {
    it(`answers ${answer} to ${what}`, async () => {
      await using mtty = await createMtty()
      await using seam = await openSeam(mtty.uuid)
      assert.equal(await seam.calls.dmaLoggingStart(4096, BigUint64Array.from(ranges.flat())), answer)
    })
  }

  it('refuses to report in pages that are none', async () => {
    await using opened = await openMtty()
    const { dmaLogging } = opened.device
    for (const pageSize of [2048, 6144]) {
      await assert.rejects(dmaLogging.report({ iova: 0n, length: page, pageSize }), { code: 'EINVAL' })
    }
  })
})

describe('regions', () => {
  it('of mtty are a BAR of 8 bytes a port and 255 bytes of config space', async () => {
    for (const [type, bars] of [
      ['mtty-1', [8, 0]],
      ['mtty-2', [8, 8]],
    ] as const) {
      await using opened = await openMtty(type)
      const sizes = opened.device.regions.map(({ size }) => size)
      assert.deepEqual(sizes, [...bars, 0, 0, 0, 0, 0, 255, 0])
      const config = opened.device.regions[7]
      // vendor 0x4348, device 0x3253: a WCH serial card.
      assert.deepEqual(await config?.read(0, 4, { width: 4 }), Buffer.from('48435332', 'hex'))
    }
  })

  it('that a device does not have are neither read nor written', async () => {
    await using opened = await openMtty()
    const { device } = opened
    assert.deepEqual([device.regions[1]?.readable, device.regions[1]?.writable], [false, false])
    await assert.rejects(async () => device.regions[1]?.read(0, 1), RangeError)
    await assert.rejects(async () => device.regions[0]?.read(8, 1), RangeError)
    await assert.rejects(async () => device.regions[0]?.write(0, new Uint8Array(9)), RangeError)
  })

  it('answer to their numbers at the seam as vfio.h says', async () => {
    await using mtty = await createMtty()
    await using seam = await openSeam(mtty.uuid)
    const { flags, numRegions, numIrqs } = await seam.calls.deviceInfo()
    assert.deepEqual([flags, numRegions, numIrqs], [2, 9, 5])
    const bar1 = await seam.calls.regionInfo(1)
    assert.deepEqual([bar1.result, bar1.offset], [0, 2 ** 40])
    assert.equal((await seam.calls.regionInfo(9)).result, EINVAL)
  })

  it('of a PCI function are those of its configuration', async () => {
    await using bound = await bindToVfioPci()
    await using device = await openDevice(bound.address)
    const config = device.regions.find(({ index }) => index === 7)
    assert.equal(config?.size, 4096)
    // QEMU's NVMe controller: vendor and device id of a virtual function read as all ones, its class does not.
    assert.deepEqual(await config.read(9, 3), Buffer.from('020801', 'hex'))
  })
})
