// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { findDevice, openDevice, type Device } from '#lib/index.js'
import { createMtty } from './mtty.ts'
import { openMtty } from './opened.ts'
import { openSeam } from './seam.ts'
import { bindToVfioPci } from './vf.ts'

/** What the fds that keep a device open are, by /proc. */
function links(device: Device): Record<string, string> {
  const entries = Object.entries(device.lend()).filter(([, fd]) => fd !== undefined)
  return Object.fromEntries(entries.map(([name, fd]) => [name, readlinkSync(`/proc/self/fd/${fd}`)]))
}

describe('opening a device', () => {
  it('goes by its own node and iommufd where both are there', async () => {
    await using mtty = await createMtty()
    await using device = await openDevice(mtty.uuid)
    const { cdev } = await findDevice(mtty.uuid)
    assert.deepEqual([device.via, device.origin, device.driver], ['cdev', 'opened', 'mtty'])
    assert.deepEqual([device.name, device.resetAtOpen], [mtty.uuid, undefined])
    assert.deepEqual(links(device), { device: cdev?.node, iommufd: '/dev/iommu' })
    assert.equal(await device.state(), 'RUNNING')
  })

  it('goes by its group and a type1 container when told to', async () => {
    await using mtty = await createMtty()
    await using device = await openDevice(mtty.uuid, { via: 'group' })
    const group = basename(readlinkSync(`/sys/bus/mdev/devices/${mtty.uuid}/iommu_group`))
    const expected = {
      device: 'anon_inode:[vfio-device]',
      group: `/dev/vfio/${group}`,
      container: '/dev/vfio/vfio',
    }
    assert.equal(device.via, 'group')
    assert.deepEqual(links(device), expected)
    assert.equal(await device.state(), 'RUNNING')
  })

  for (const via of ['cdev', 'group'] as const) {
    it(`gives by ${via} a PCI function that does not migrate, and tells why it does not`, async () => {
      await using function_ = await bindToVfioPci()
      await using device = await openDevice(function_.address, { via })
      assert.deepEqual([device.via, device.driver, device.capabilities.stopCopy], [via, 'vfio-pci', false])
      await assert.rejects(device.setState('STOP_COPY'), error => {
        assert.ok(error instanceof Error && 'code' in error)
        assert.equal(error.code, 'ERR_VFIO_NOT_MIGRATABLE')
        assert.match(
          error.message,
          new RegExp(`${function_.address} is bound to vfio-pci, which does not migrate`),
        )
        return true
      })
      await assert.rejects(device.state(), { code: 'ERR_VFIO_NOT_MIGRATABLE' })
      await assert.rejects(device.stopCopyBytes(), { code: 'ERR_VFIO_NOT_MIGRATABLE' })
      await device.reset()
    })

    it(`holds two devices at once by ${via}`, async () => {
      await using one = await openMtty('mtty-1', { via })
      await using two = await openMtty('mtty-2', { via })
      await one.device.setState('STOP')
      assert.deepEqual([await one.device.state(), await two.device.state()], ['STOP', 'RUNNING'])
    })
  }

  it('shares one container among the groups of a process, and closes it with the last', async () => {
    await using one = await openMtty('mtty-1', { via: 'group' })
    const { container } = one.device.lend()
    {
      await using two = await openMtty('mtty-1', { via: 'group' })
      assert.equal(two.device.lend().container, container)
      assert.notEqual(two.device.lend().group, one.device.lend().group)
    }
    assert.equal(readlinkSync(`/proc/self/fd/${container}`), '/dev/vfio/vfio')
    await one.device.close()
    assert.throws(() => readlinkSync(`/proc/self/fd/${container}`), { code: 'ENOENT' })
  })

  it('gives no second hold of a device in one process: the first one keeps its state', async () => {
    await using mtty = await createMtty()
    await using first = await openDevice(mtty.uuid, { via: 'group' })
    await first.setState('PRE_COPY')
    await assert.rejects(openDevice(mtty.uuid, { via: 'group' }), {
      code: 'ERR_VFIO_OPEN',
      message: /this process/,
    })
    assert.equal(await first.state(), 'PRE_COPY')
  })

  for (const state of ['STOP', 'STOP_COPY', 'RESUMING', 'PRE_COPY'] as const) {
    it(`resets an mtty that somebody has left in ${state}, and says so`, async () => {
      await using mtty = await createMtty()
      const left = await openSeam(mtty.uuid)
      const { session } = await left.set(state)
      await session?.close()
      await left.calls.close()
      await using device = await openDevice(mtty.uuid)
      assert.equal(device.resetAtOpen, state)
      assert.equal(await device.state(), 'RUNNING')
    })

    it(`leaves an mtty in RUNNING when it is closed in ${state}`, async () => {
      await using mtty = await createMtty()
      const device = await openDevice(mtty.uuid)
      await device.setState(state)
      await device.close()
      await device.close()
      const { migration } = await findDevice(mtty.uuid, { state: true })
      assert.equal(migration?.state, 'RUNNING')
      await assert.rejects(device.state(), { code: 'ERR_VFIO_CLOSED' })
    })
  }

  it('is not begun with a signal that has fired', async () => {
    await using mtty = await createMtty()
    await assert.rejects(openDevice(mtty.uuid, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  })
})
