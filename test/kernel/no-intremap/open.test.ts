// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { openDevice } from '#lib/index.js'
import { hostFacts } from '#lib/host/host.js'
import { findDevice } from '#lib/host/find.js'
import { createMtty } from '../mtty.ts'
import { bindToVfioPci } from '../vf.ts'

// These run in a guest of their own, whose IOMMU does not remap interrupts.

const allowances = { cdev: 'iommufd', group: 'vfio_iommu_type1' } as const

describe('a machine that does not remap interrupts', () => {
  it('is known by its interrupts', async () => {
    await using function_ = await bindToVfioPci()
    const { kernel } = await hostFacts(await findDevice(function_.address))
    assert.equal(kernel.interruptRemapping, false)
  })

  for (const [via, module] of Object.entries(allowances) as ['cdev' | 'group', string][]) {
    const parameter = `/sys/module/${module}/parameters/allow_unsafe_interrupts`

    it(`gives no PCI function by ${via}, and the error says how to change that`, async () => {
      await using function_ = await bindToVfioPci()
      await assert.rejects(openDevice(function_.address, { via }), error => {
        assert.ok(error instanceof Error && 'code' in error)
        assert.equal(error.code, 'ERR_VFIO_OPEN')
        assert.match(error.message, /EPERM.*does not remap interrupts/)
        assert.ok(error.message.includes(`echo Y > ${parameter}`), error.message)
        return true
      })
    })

    it(`gives one by ${via} after that`, async () => {
      await using function_ = await bindToVfioPci()
      writeFileSync(parameter, 'Y')
      try {
        await using device = await openDevice(function_.address, { via })
        assert.equal(device.via, via)
      } finally {
        writeFileSync(parameter, 'N')
      }
    })
  }

  it('gives an mtty, which has no interrupts to remap', async () => {
    await using mtty = await createMtty()
    await using device = await openDevice(mtty.uuid)
    assert.equal(await device.state(), 'RUNNING')
  })
})
