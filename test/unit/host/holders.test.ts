// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { holdersOf } from '#lib/host/holders.js'
import { makeTree, removeTree, unprivileged } from './tree.js'

const sysfsPath = '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.2'
const processes = {
  '/proc/self': '-> 4321',
  '/proc/1/comm': 'systemd\n',
  '/proc/1/fd/0': '-> /dev/null',
  '/proc/977/comm': 'qemu-system-x86\n',
  '/proc/977/fd/0': '-> /dev/null',
  '/proc/977/fd/12': '-> /dev/vfio/57',
  '/proc/4321/comm': 'node\n',
  '/proc/4321/fd/20': '-> /dev/vfio/devices/vfio3',
  '/proc/5000/comm': 'spdk_tgt\n',
  '/proc/5000/fd/9': '-> anon_inode:[vfio-device]',
  '/proc/5000/fdinfo/9': `pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1061\nvfio-device-syspath: ${sysfsPath}\n`,
}

describe('holdersOf', () => {
  let root = ''
  beforeEach(async () => {
    root = await makeTree(processes)
  })
  afterEach(() => removeTree(root))

  it('names the processes that have one of the nodes open', async () => {
    assert.deepEqual(await holdersOf(['/dev/vfio/57', '/dev/vfio/devices/vfio3'], { root }), {
      processes: [
        { pid: 977, comm: 'qemu-system-x86' },
        { pid: 4321, comm: 'node' },
      ],
      complete: true,
    })
  })

  it("names a process that has only a group's device fd, where fdinfo tells whose it is", async () => {
    const { processes } = await holdersOf([], { root, sysfsPath })
    assert.deepEqual(processes, [{ pid: 5000, comm: 'spdk_tgt' }])
  })

  it('does not take the device fd of another device for this one', async () => {
    const { processes } = await holdersOf([], { root, sysfsPath: `${sysfsPath}0` })
    assert.deepEqual(processes, [])
  })

  it('says that it could not read everything', async () => {
    await chmod(join(root, '/proc/1/fd'), 0)
    const holders = await unprivileged(root, () => holdersOf(['/dev/vfio/57'], { root }))
    await chmod(join(root, '/proc/1/fd'), 0o700)
    assert.deepEqual(holders, { processes: [{ pid: 977, comm: 'qemu-system-x86' }], complete: false })
  })
})
