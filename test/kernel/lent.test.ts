// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { findDevice, openDevice } from '#lib/index.js'
import { runChild } from './child.ts'
import { createMtty } from './mtty.ts'
import { streamOf } from './mtty_stream.ts'
import { openMtty } from './opened.ts'
import { isAtLeast } from './release.ts'

describe('a device that another process lends', () => {
  for (const via of ['cdev', 'group'] as const) {
    it(`had by ${via} is driven through its fd, and neither reset nor lost when the borrower closes`, async () => {
      await using opened = await openMtty('mtty-1', { via })
      const { device } = opened
      await device.regions[0]?.write(7, Uint8Array.of(0x42))
      await device.setState('STOP')
      const fds = Object.values(device.lend()) as number[]
      const { code, stdout, stderr } = await runChild('lent', [via], fds)
      assert.deepEqual([code, stderr], [0, ''])
      // Before 6.13 or so the kernel did not tell which device a group's fd is.
      const isKnown = via === 'cdev' || isAtLeast(7, 1)
      assert.deepEqual(JSON.parse(stdout), {
        name: isKnown ? device.name : 'fd:3',
        ...(isKnown && { driver: 'mtty' }),
        origin: 'lent',
        via: 'fd',
        precopyInfoV2: false,
        found: 'STOP',
        bytes: streamOf('mtty-1', [{ scratch: 0x42 }]).toString('hex'),
      })
      assert.equal(await device.state(), 'STOP_COPY')
      assert.throws(() => device.savingStream, { code: 'ERR_VFIO_NO_SESSION' })
      await device.setState('RUNNING')
    })
  }

  it('must have been bound before', async () => {
    await using mtty = await createMtty()
    const { cdev } = await findDevice(mtty.uuid)
    const fd = openSync(cdev?.node ?? '', 'r+')
    await assert.rejects(openDevice({ fd }), {
      code: 'ERR_VFIO_NOT_BOUND',
      message: /is not bound to an iommufd/,
    })
    assert.throws(() => fstatSync(fd), { code: 'EBADF' })
  })

  it('is not taken for one where the fd is another file, or none', async () => {
    const fd = openSync('/dev/null', 'r')
    await assert.rejects(openDevice({ fd }), { code: 'ERR_VFIO_NO_DEVICE', message: /\/dev\/null/ })
    closeSync(fd)
    await assert.rejects(openDevice({ fd: 100_000 }), { code: 'ERR_VFIO_NO_DEVICE' })
    await assert.rejects(openDevice({ fd: -1 }), TypeError)
  })
})
