// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { findDevice, openDevice } from '#lib/index.js'
import { isVfioError } from '#lib/errors.js'
import type { OpenOptions } from '#lib/device/open.js'
import { startHolder } from './holder.ts'
import { createMtty } from './mtty.ts'
import { openMtty } from './opened.ts'
import { bindToVfioPci, virtualFunctions } from './vf.ts'

/** The message of the ERR_VFIO_OPEN, which must contain each of `parts`. */
async function refuses(
  name: string,
  options: OpenOptions,
  ...parts: (string | undefined)[]
): Promise<string> {
  let message = ''
  await assert.rejects(
    openDevice(name, options).then(device => device.close()),
    error => {
      assert.ok(isVfioError(error), String(error))
      assert.deepEqual([error.code, error.device], ['ERR_VFIO_OPEN', name])
      ;({ message } = error)
      return true
    },
  )
  for (const part of parts) assert.ok(message.includes(part ?? '?'), `'${part}' is not in: ${message}`)
  return message
}

/** Does something while a node is not in /dev. */
async function without(path: string, act: () => Promise<void>): Promise<void> {
  renameSync(path, `${path}.hidden`)
  try {
    await act()
  } finally {
    renameSync(`${path}.hidden`, path)
  }
}

/** Does something as another user, as far as permissions go. */
async function asUser(uid: number, act: () => Promise<void>): Promise<void> {
  process.seteuid?.(uid)
  try {
    await act()
  } finally {
    process.seteuid?.(0)
  }
}

const thisProcess = `this process (pid ${process.pid})`

describe('a device that does not open', () => {
  it('by its node is open in this process: BIND answers EINVAL', async () => {
    await using opened = await openMtty()
    const parts = ['VFIO_DEVICE_BIND_IOMMUFD', 'EINVAL', thisProcess]
    await refuses(opened.device.name, { via: 'cdev' }, ...parts)
    assert.equal(await opened.device.state(), 'RUNNING')
  })

  it('by its group is open by its node: EBUSY', async () => {
    await using opened = await openMtty('mtty-1', { via: 'cdev' })
    const { groupNode } = await findDevice(opened.device.name)
    await refuses(opened.device.name, { via: 'group' }, groupNode, 'EBUSY', thisProcess)
  })

  it('by its node is open by its group: EBUSY', async () => {
    await using opened = await openMtty('mtty-1', { via: 'group' })
    await refuses(opened.device.name, { via: 'cdev' }, 'VFIO_DEVICE_BIND_IOMMUFD', 'EBUSY', thisProcess)
  })

  it('by any way tells of both', async () => {
    await using opened = await openMtty()
    const { cdev, groupNode } = await findDevice(opened.device.name)
    const message = await refuses(
      opened.device.name,
      {},
      cdev?.node,
      'EINVAL',
      groupNode,
      'EBUSY',
      thisProcess,
    )
    assert.equal(message.split('\n- ').length, 3)
  })

  it('while another process has its group names that process', async () => {
    await using mtty = await createMtty()
    const { groupNode = '' } = await findDevice(mtty.uuid)
    await using holder = await startHolder(groupNode)
    for (const via of ['cdev', 'group'] as const) {
      await refuses(mtty.uuid, { via }, 'EBUSY', `sh (pid ${holder.pid})`)
    }
  })

  it('because its node is missing in /dev says how to make it, and opens by its group', async () => {
    await using mtty = await createMtty()
    const { cdev } = await findDevice(mtty.uuid)
    assert.ok(cdev)
    const command = `mknod ${cdev.node} c ${cdev.dev.replace(':', ' ')}`
    await without(cdev.node, async () => {
      await refuses(mtty.uuid, { via: 'cdev' }, 'ENOENT', command)
      await using device = await openDevice(mtty.uuid)
      assert.equal(device.via, 'group')
    })
  })

  it('by its node without /dev/iommu opens by its group', async () => {
    await using mtty = await createMtty()
    await without('/dev/iommu', async () => {
      await refuses(mtty.uuid, { via: 'cdev' }, '/dev/iommu', 'ENOENT', 'modprobe iommufd')
      await using device = await openDevice(mtty.uuid)
      assert.equal(device.via, 'group')
    })
  })

  it('by its group without /dev/vfio/vfio says that it is missing', async () => {
    await using mtty = await createMtty()
    await without('/dev/vfio/vfio', async () => {
      await refuses(mtty.uuid, { via: 'group' }, '/dev/vfio/vfio', 'ENOENT')
    })
  })

  it('for another user names the nodes, their owner and that user', async () => {
    await using mtty = await createMtty()
    const { cdev, groupNode } = await findDevice(mtty.uuid)
    const owner = 'belongs to user 0, group 0, mode 0600; this process runs as user 65534'
    await asUser(65534, async () => {
      await refuses(mtty.uuid, {}, `${cdev?.node} ${owner}`, `${groupNode} ${owner}`, 'EACCES')
    })
  })

  it('because it is bound to nothing, or to another driver, says to what', async () => {
    const [address = ''] = virtualFunctions()
    await refuses(address, {}, `${address} is bound to no driver`)
    const pf = process.env.VFIO_MIGRATE_PF ?? ''
    await refuses(pf, {}, `${pf} is bound to nvme, which is no VFIO driver`)
  })

  it('with a token that it does not want says to leave that out', async () => {
    await using function_ = await bindToVfioPci()
    const vfToken = '2ab74924-c335-45f4-9b16-8569e5b08258'
    for (const via of ['cdev', 'group'] as const) {
      await refuses(function_.address, { via, vfToken }, 'EINVAL', 'Leave the token out')
    }
    await assert.rejects(openDevice(function_.address, { vfToken: '2ab7' }), TypeError)
  })

  it('because there is none says which there are', async () => {
    await using mtty = await createMtty()
    for (const name of ['0000:99:00.0', '00000000-0000-4000-8000-000000000000', 'vfio999', 'eth0']) {
      await assert.rejects(openDevice(name), error => {
        assert.ok(isVfioError(error))
        assert.equal(error.code, 'ERR_VFIO_NO_DEVICE')
        assert.ok(error.message.includes(name) && error.message.includes(mtty.uuid), error.message)
        return true
      })
    }
  })
})
