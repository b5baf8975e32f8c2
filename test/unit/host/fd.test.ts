// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import { describeFd } from '#lib/host/fd.js'
import { makeTree, removeTree } from './tree.js'
import { common, mdev, pf, vf } from './trees.js'

const fdinfo = 'pos:\t0\nflags:\t02000002\nmnt_id:\t24\nino:\t330\n'

describe('describeFd', () => {
  let root = ''
  before(async () => {
    root = await makeTree(common, pf, vf, mdev, {
      '/proc/self/fd/20': '-> /dev/vfio/devices/vfio3',
      '/proc/self/fdinfo/20': fdinfo,
      '/proc/self/fd/21': '-> anon_inode:[vfio-device]',
      '/proc/self/fdinfo/21': fdinfo,
      '/proc/self/fd/22': '-> anon_inode:[vfio-device]',
      '/proc/self/fdinfo/22': `${fdinfo}vfio-device-syspath: /sys/devices/virtual/mtty/mtty/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001\n`,
      '/proc/self/fd/23': '-> socket:[4711]',
      '/proc/self/fdinfo/23': fdinfo,
    })
  })
  after(() => removeTree(root))

  it('knows the device of a cdev by the node', async () => {
    const facts = await describeFd(20, { root })
    assert.deepEqual(
      [facts?.kind, facts?.device?.name, facts?.device?.driver],
      ['cdev', '0000:08:00.2', 'mlx5_vfio_pci'],
    )
  })

  it("knows a group's device fd, and not its device, where fdinfo does not tell, as on 6.12", async () => {
    assert.deepEqual(await describeFd(21, { root }), {
      link: 'anon_inode:[vfio-device]',
      kind: 'group',
      device: undefined,
    })
  })

  it("knows the device of a group's device fd where fdinfo tells, as on 7.2", async () => {
    const facts = await describeFd(22, { root })
    assert.deepEqual([facts?.kind, facts?.device?.driver], ['group', 'mtty'])
  })

  it('says other of anything else', async () => {
    const facts = await describeFd(23, { root })
    assert.deepEqual(facts, { link: 'socket:[4711]', kind: 'other', device: undefined })
  })

  it('answers undefined for an fd that is not open', async () => {
    assert.equal(await describeFd(24, { root }), undefined)
  })

  it('is not misled by a character device of another driver', async () => {
    const fd = openSync('/dev/null', 'r')
    const facts = await describeFd(fd)
    closeSync(fd)
    assert.deepEqual(facts, { link: '/dev/null', kind: 'other', device: undefined })
  })
})
