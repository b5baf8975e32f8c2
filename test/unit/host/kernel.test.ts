// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { isOlderThan, kernelFacts } from '#lib/host/kernel.js'
import { makeTree, removeTree } from './tree.js'

describe('kernelFacts', () => {
  let root = ''
  afterEach(() => removeTree(root))

  it('reads what the kernel offers', async () => {
    root = await makeTree({
      '/proc/sys/kernel/osrelease': '6.12.107\n',
      '/proc/interrupts':
        '           CPU0       CPU1       \n' +
        '  4:          0          1  IR-IO-APIC   4-edge      ttyS0\n' +
        ' 24:          0          0  DMAR-MSI   0-edge      dmar0\n' +
        ' 30:          0          8  IR-PCI-MSIX-0000:01:00.0   0-edge      nvme0q0\n',
      '/dev/iommu': '',
      '/dev/vfio/vfio': '',
      '/sys/module/vfio/parameters/enable_unsafe_noiommu_mode': 'N\n',
      '/sys/module/iommufd/parameters/allow_unsafe_interrupts': 'Y\n',
    })
    assert.deepEqual(await kernelFacts({ root }), {
      release: '6.12.107',
      iommufd: true,
      container: true,
      unsafeNoiommu: false,
      unsafeInterrupts: { iommufd: true, type1: undefined },
      interruptRemapping: true,
    })
  })

  it('sees that interrupts are not remapped', async () => {
    root = await makeTree({
      '/proc/interrupts':
        '  4:          2          0  IO-APIC   4-edge      ttyS0\n' +
        ' 30:          8          0  PCI-MSIX-0000:01:00.0   0-edge      nvme0q0\n',
    })
    assert.equal((await kernelFacts({ root })).interruptRemapping, false)
  })

  it('does not know whether interrupts are remapped on arm64', async () => {
    root = await makeTree({
      '/proc/interrupts': ' 13:     120033     GICv3  27 Level     arch_timer\n',
    })
    assert.equal((await kernelFacts({ root })).interruptRemapping, undefined)
  })
})

describe('isOlderThan', () => {
  for (const [release, since, older] of [
    ['6.12.107', '6.13', true],
    ['6.12.107', '6.12', false],
    ['7.2.13', '6.19', false],
    ['5.15.0-91-generic', '5.18', true],
    ['6.9.0', '6.10', true],
    ['10.0', '9.9', false],
  ] as const) {
    it(`says that ${release} is ${older ? '' : 'not '}older than ${since}`, () => {
      assert.equal(isOlderThan(release, since), older)
    })
  }
})
