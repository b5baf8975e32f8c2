// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { machineFacts } from '#lib/host/machine.js'
import { memoryFacts } from '#lib/host/memory.js'
import { makeTree, removeTree } from './tree.js'

const gibibyte = 2 ** 30

/** A service in a slice, on a host with version 2 of control groups. */
const v2 = {
  '/proc/meminfo': 'MemTotal:       16384000 kB\nMemFree:          100000 kB\nMemAvailable:    8192000 kB\n',
  '/proc/self/cgroup': '0::/system.slice/mover.service\n',
  '/sys/fs/cgroup/system.slice/mover.service/memory.max': `${gibibyte}\n`,
  '/sys/fs/cgroup/system.slice/mover.service/memory.high': 'max\n',
  '/sys/fs/cgroup/system.slice/mover.service/memory.current': '700000000\n',
  '/sys/fs/cgroup/system.slice/mover.service/memory.stat':
    'anon 1000000\nfile 300000000\ninactive_anon 5\ninactive_file 200000000\nactive_file 100000000\n',
  '/sys/fs/cgroup/system.slice/memory.max': 'max\n',
  '/sys/fs/cgroup/system.slice/memory.high': `${2 * gibibyte}\n`,
  '/sys/fs/cgroup/system.slice/memory.current': '900000000\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpu memory\n',
}

/** Version 1 beside an empty hierarchy of version 2, as systemd mounts them together. */
const v1 = {
  '/proc/self/cgroup': '5:cpu,cpuacct:/\n4:memory:/job/7\n0::/job/7\n',
  '/sys/fs/cgroup/unified/job/7/cgroup.procs': '',
  '/sys/fs/cgroup/memory/job/7/memory.limit_in_bytes': '536870912\n',
  '/sys/fs/cgroup/memory/job/7/memory.usage_in_bytes': '400000000\n',
  '/sys/fs/cgroup/memory/job/7/memory.stat': 'inactive_file 1\ntotal_inactive_file 100000000\n',
  '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
  '/sys/fs/cgroup/memory/memory.usage_in_bytes': '800000000\n',
}

describe('memoryFacts', () => {
  let root = ''
  afterEach(() => removeTree(root))

  it('reads every limit on the way up, and counts the idle file cache as free', async () => {
    root = await makeTree(v2)
    assert.deepEqual(await memoryFacts({ root }), {
      availableBytes: 8_192_000 * 1024,
      limits: [
        {
          cgroup: '/system.slice/mover.service',
          file: 'memory.max',
          limitBytes: gibibyte,
          usedBytes: 500_000_000,
        },
        { cgroup: '/system.slice', file: 'memory.high', limitBytes: 2 * gibibyte, usedBytes: 900_000_000 },
      ],
    })
  })

  it('reads those of version 1 as well, where no limit is a number near 2^63', async () => {
    root = await makeTree(v1)
    assert.deepEqual(await memoryFacts({ root }), {
      availableBytes: undefined,
      limits: [
        {
          cgroup: '/job/7',
          file: 'memory.limit_in_bytes',
          limitBytes: 536_870_912,
          usedBytes: 300_000_000,
        },
      ],
    })
  })

  it('finds its own limit at the top of what it sees, in a container', async () => {
    root = await makeTree({
      '/proc/self/cgroup': '0::/../../docker/1f\n',
      '/sys/fs/cgroup/memory.max': '1000000\n',
      '/sys/fs/cgroup/memory.high': 'max\n',
      '/sys/fs/cgroup/memory.current': '400000\n',
      '/sys/fs/cgroup/memory.stat': 'inactive_file 500000\n',
    })
    const { limits } = await memoryFacts({ root })
    assert.deepEqual(limits, [{ cgroup: '/', file: 'memory.max', limitBytes: 1_000_000, usedBytes: 0 }])
  })

  it('has nothing to tell where there is nothing to read', async () => {
    root = await makeTree({ '/proc': null })
    assert.deepEqual(await memoryFacts({ root }), { availableBytes: undefined, limits: [] })
  })
})

describe('machineFacts', () => {
  let root = ''
  afterEach(() => removeTree(root))

  it('tells machines apart by their boot, and names the kernel', async () => {
    root = await makeTree(v2, {
      '/proc/sys/kernel/random/boot_id': '4f6d0c3e-0d6b-4a52-a1a7-6a0d3cf9c1f5\n',
      '/proc/sys/kernel/osrelease': '7.2.13\n',
    })
    const { bootId, release, memory } = await machineFacts({ root })
    assert.deepEqual([bootId, release], ['4f6d0c3e-0d6b-4a52-a1a7-6a0d3cf9c1f5', '7.2.13'])
    assert.equal(memory?.limits.length, 2)
  })
})
