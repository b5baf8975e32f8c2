// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { findDevice } from '#lib/host/find.js'
import { readHardware, type HardwareFacts } from '#lib/host/hardware.js'
import type { AskTool } from '#lib/host/tool.js'
import { makeTree, removeTree } from './tree.js'
import { common, mdev, pf, vf } from './trees.js'

const pfPath = '/sys/devices/pci0000:00/0000:00:01.0/0000:08:00.0'

/** Its second function is the one that is looked at; the PF has a network interface. */
const ports = {
  [`${pfPath}/virtfn0`]: '-> ../0000:08:00.1',
  [`${pfPath}/virtfn1`]: '-> ../0000:08:00.2',
  [`${pfPath}/net/ens1f0np0/address`]: 'b8:3f:d2:00:00:01\n',
}

const infiniband = {
  [`${pfPath}/infiniband/mlx5_0/fw_ver`]: '28.39.1002\n',
  [`${pfPath}/infiniband/mlx5_0/board_id`]: 'MT_0000000838\n',
}

const info = {
  info: {
    'pci/0000:08:00.0': {
      driver: 'mlx5_core',
      versions: {
        fixed: { 'fw.psid': 'MT_0000000359' },
        running: { 'fw.version': '28.40.1000', fw: '28.40.1000' },
        stored: { 'fw.version': '28.41.0000' },
      },
    },
  },
}

const devlinkPorts = {
  port: {
    'pci/0000:08:00.0/65535': { type: 'eth', netdev: 'ens1f0np0', flavour: 'physical', port: 0 },
    'pci/0000:08:00.0/32768': {
      flavour: 'pcivf',
      pfnum: 0,
      vfnum: 0,
      function: { hw_addr: '02:00:00:00:00:01' },
    },
    'pci/0000:08:00.0/32769': {
      flavour: 'pcivf',
      pfnum: 0,
      vfnum: 1,
      function: { hw_addr: '02:00:00:00:00:02', roce: 'enable', migratable: 'enable', max_io_eqs: 8 },
    },
    'pci/0000:09:00.0/32769': { flavour: 'pcivf', pfnum: 0, vfnum: 1, function: { roce: 'disable' } },
  },
}

const link = [
  {
    ifname: 'ens1f0np0',
    vfinfo_list: [
      { vf: 0, link_type: 'ether', address: '02:00:00:00:00:0a', spoofchk: false },
      {
        vf: 1,
        link_type: 'ether',
        address: '02:00:00:00:00:0B',
        vlan_list: [{ vlan: 100, qos: 3 }],
        spoofchk: true,
      },
    ],
  },
]

/** Answers what is given for a tool's first two words, and notes what it was asked. */
function tools(answers: Readonly<Record<string, unknown>>): { ask: AskTool; asked: string[] } {
  const asked: string[] = []
  const ask: AskTool = (tool, args) => {
    asked.push([tool, ...args].join(' '))
    return Promise.resolve(answers[`${tool} ${args[0]}`])
  }
  return { ask, asked }
}

describe('readHardware', () => {
  let root = ''
  afterEach(() => removeTree(root))

  async function read(
    answers: Readonly<Record<string, unknown>>,
    ...trees: Parameters<typeof makeTree>
  ): Promise<HardwareFacts & { asked: string[] }> {
    root = await makeTree(common, pf, vf, ...trees)
    const { ask, asked } = tools(answers)
    return { ...(await readHardware(await findDevice('0000:08:00.2', { root }), { root, ask })), asked }
  }

  it('takes firmware and board from sysfs, and does not ask devlink for them', async () => {
    const { firmware, physfn, asked } = await read({ 'devlink dev': info }, infiniband, ports)
    assert.deepEqual(firmware, { version: '28.39.1002', board: 'MT_0000000838' })
    assert.equal(physfn, '0000:08:00.0')
    assert.deepEqual(asked.sort(), ['devlink port show', 'ip link show dev ens1f0np0'])
  })

  it('takes from devlink what sysfs does not show: the version that runs, not the one that is stored', async () => {
    const { firmware, asked } = await read({ 'devlink dev': info })
    assert.deepEqual(firmware, { version: '28.40.1000', board: 'MT_0000000359' })
    assert.deepEqual(asked, ['devlink dev info pci/0000:08:00.0'])
  })

  it('knows the names that other drivers give them', async () => {
    const versions = { fixed: { 'board.id': 'DSC-25', 'asic.id': '0x0' }, running: { fw: '1.58.0-6' } }
    const { firmware } = await read({ 'devlink dev': { info: { 'pci/0000:08:00.0': { versions } } } })
    assert.deepEqual(firmware, { version: '1.58.0-6', board: 'DSC-25' })
  })

  it('finds the function by its number on the physical function, in devlink and in ip', async () => {
    const { port } = await read({ 'devlink port': devlinkPorts, 'ip link': link }, ports)
    assert.deepEqual(port, {
      index: 1,
      netdev: 'ens1f0np0',
      handle: 'pci/0000:08:00.0/32769',
      attributes: { roce: 'enable', migratable: 'enable', max_io_eqs: '8' },
      mac: '02:00:00:00:00:0b',
      vlan: 100,
      spoofCheck: true,
    })
  })

  it('takes zeros for no address, and the one of devlink then', async () => {
    const row = { vf: 1, mac: '00:00:00:00:00:00' }
    const { port } = await read({ 'devlink port': devlinkPorts, 'ip link': [{ vfinfo_list: [row] }] }, ports)
    assert.deepEqual([port?.mac, port?.vlan, port?.spoofCheck], ['02:00:00:00:00:02', 0, undefined])
  })

  it('tells no port where no tool shows one, and where the physical function does not link to it', async () => {
    assert.equal((await read({}, ports)).port, undefined)
    await removeTree(root)
    assert.equal((await read({ 'devlink port': devlinkPorts })).port, undefined)
  })

  it('takes an answer of another shape for none', async () => {
    for (const answer of ['text', 7, null, [], { port: 7, info: [] }, [{ vfinfo_list: {} }]]) {
      const answers = { 'devlink dev': answer, 'devlink port': answer, 'ip link': answer }
      const { firmware, port } = await read(answers, ports)
      assert.deepEqual([firmware, port], [{ version: undefined, board: undefined }, undefined])
      await removeTree(root)
    }
  })

  it('asks no tool of an mdev', async () => {
    root = await makeTree(common, mdev)
    const { ask, asked } = tools({})
    const device = await findDevice('83b8f4f2-509f-382f-3c1e-e6bfe0fa1001', { root })
    const { mdevType, physfn, port } = await readHardware(device, { root, ask })
    assert.deepEqual([mdevType, physfn, port, asked], ['mtty-1', undefined, undefined, []])
  })
})
