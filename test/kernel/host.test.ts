// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { open, readlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { isVfioError } from '#lib/errors.js'
import type { DeviceFacts } from '#lib/host/facts.js'
import { describeFd } from '#lib/host/fd.js'
import { findDevice } from '#lib/host/find.js'
import { holdersOf } from '#lib/host/holders.js'
import { hostFacts } from '#lib/host/host.js'
import { listDevices } from '#lib/host/list.js'
import { createMtty } from './mtty.ts'
import { isAtLeast } from './release.ts'
import { startHolder } from './holder.ts'
import { bindToVfioPci, virtualFunctions } from './vf.ts'

const nodeOf = ({ cdev }: DeviceFacts): string => cdev?.node ?? assert.fail('the device has no node')
const named = (facts: readonly DeviceFacts[], name: string): DeviceFacts =>
  facts.find(device => device.name === name) ?? assert.fail(`${name} is not listed`)

describe('what sysfs, /proc and debugfs tell', () => {
  it('lists both types of mtty with their nodes, groups and types', async () => {
    await using one = await createMtty('mtty-1')
    await using two = await createMtty('mtty-2')
    const listed = await listDevices()
    for (const { uuid, type } of [one, two]) {
      const facts = named(listed, uuid)
      const group = basename(await readlink(`/sys/bus/mdev/devices/${uuid}/iommu_group`))
      assert.equal(facts.kind, 'mdev')
      assert.equal(facts.driver, 'mtty')
      assert.equal(facts.vfio, true)
      assert.equal(facts.mdevType, type)
      assert.equal(facts.groupNode, `/dev/vfio/${group}`)
      assert.equal(facts.noiommu, false)
      assert.match(nodeOf(facts), /^\/dev\/vfio\/devices\/vfio\d+$/)
    }
  })

  it('reads state and features where the kernel tells them', async () => {
    await using mtty = await createMtty()
    const { migration, debugfs } = await findDevice(mtty.uuid, { state: true })
    const features = isAtLeast(6, 18) ? ['stop-copy', 'p2p', 'pre-copy', 'dirty-tracking'] : undefined
    assert.deepEqual(
      { migration, debugfs },
      { migration: { state: 'RUNNING', features }, debugfs: 'readable' },
    )
  })

  it('finds a device by every name it has', async () => {
    await using mtty = await createMtty()
    const facts = await findDevice(mtty.uuid)
    const names = [
      mtty.uuid.toUpperCase(),
      facts.cdev?.name,
      nodeOf(facts),
      facts.groupNode,
      `/sys/bus/mdev/devices/${mtty.uuid}`,
    ]
    for (const name of names) assert.equal((await findDevice(name ?? '')).name, mtty.uuid, name)
  })

  it('says which devices there are when one is not found', async () => {
    await using mtty = await createMtty()
    const absent = '00000000-0000-4000-8000-000000000000'
    await assert.rejects(findDevice(absent), error => {
      assert.ok(isVfioError(error))
      assert.equal(error.code, 'ERR_VFIO_NO_DEVICE')
      assert.ok(error.message.includes(mtty.uuid), error.message)
      return true
    })
  })

  it('tells a virtual function that is bound to nothing from one that vfio-pci has', async () => {
    const [address = ''] = virtualFunctions()
    const before = await findDevice(address)
    assert.deepEqual([before.driver, before.vfio, before.cdev], [undefined, false, undefined])
    await using function_ = await bindToVfioPci()
    const bound = named(await listDevices(), function_.address)
    assert.deepEqual([bound.driver, bound.vfio, bound.migration], ['vfio-pci', true, undefined])
    assert.deepEqual(bound.physfn, { name: process.env.VFIO_MIGRATE_PF, driver: 'nvme' })
    // QEMU's NVMe controller and its virtual functions: Red Hat, device 0x0010, class 0x010802.
    assert.deepEqual([bound.pci?.vendor, bound.pci?.device, bound.pci?.class], ['1b36', '0010', '010802'])
  })

  it('recognizes an open fd of a device', async () => {
    await using mtty = await createMtty()
    const node = nodeOf(await findDevice(mtty.uuid))
    const file = await open(node, 'r+')
    try {
      const facts = await describeFd(file.fd)
      assert.deepEqual([facts?.kind, facts?.link, facts?.device?.name], ['cdev', node, mtty.uuid])
    } finally {
      await file.close()
    }
    assert.equal((await describeFd(0))?.kind, 'other')
    assert.equal(await describeFd(100_000), undefined)
  })

  it('names the process that holds a node open', async () => {
    await using mtty = await createMtty()
    const node = nodeOf(await findDevice(mtty.uuid))
    assert.deepEqual(await holdersOf([node]), { processes: [], complete: true })
    await using holder = await startHolder(node)
    const { processes, complete } = await holdersOf([node])
    assert.equal(complete, true)
    assert.deepEqual(processes, [{ pid: holder.pid, comm: 'sh' }])
  })

  it('tells what the kernel offers, and who we are', async () => {
    await using mtty = await createMtty()
    const { kernel, process: own, nodes } = await hostFacts(await findDevice(mtty.uuid))
    assert.equal(kernel.release, readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim())
    assert.deepEqual([kernel.iommufd, kernel.container, kernel.interruptRemapping], [true, true, true])
    assert.deepEqual(kernel.unsafeInterrupts, { iommufd: false, type1: false })
    assert.deepEqual([own.pid, own.uid, own.gid], [process.pid, process.getuid?.(), process.getgid?.()])
    // drivers/vfio: group and device nodes 0600; drivers/iommu/iommufd: 0660; the container 0666.
    const modes = Object.fromEntries(nodes.map(({ path, mode }) => [path.replace(/\d+$/, 'N'), mode]))
    const expected = { '/dev/vfio/devices/vfioN': 0o600, '/dev/vfio/N': 0o600, '/dev/iommu': 0o660 }
    assert.deepEqual(modes, { ...expected, '/dev/vfio/vfio': 0o666 })
  })
})
