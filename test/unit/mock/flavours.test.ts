// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { driverManners } from '#lib/kernel/drivers.js'
import { capabilitiesOfFlavour, flavourNames, flavours, kernelNames } from '#lib/mock/flavours.js'

describe('the flavours', () => {
  it('are of drivers that are known to migrate', () => {
    for (const name of flavourNames) assert.ok(driverManners(flavours[name].driver)?.since, name)
  })

  it('migrate on a kernel when, and only when, their driver does there', () => {
    for (const name of flavourNames) {
      const [major = 0, minor = 0] = (driverManners(flavours[name].driver)?.since ?? '')
        .split('.')
        .map(Number)
      for (const kernel of kernelNames) {
        const [atMajor = 0, atMinor = 0] = kernel.split('.').map(Number)
        const migrates = atMajor > major || (atMajor === major && atMinor >= minor)
        assert.equal(capabilitiesOfFlavour(flavours[name], kernel).stopCopy, migrates, `${name} on ${kernel}`)
      }
    }
  })

  it('say what a read answers when there is nothing now, where they have PRE_COPY', () => {
    for (const name of flavourNames) {
      const { idle, preCopySince } = flavours[name]
      assert.equal(idle === undefined, preCopySince === undefined, name)
      assert.equal(capabilitiesOfFlavour(flavours[name], '7.2').preCopy, preCopySince !== undefined, name)
    }
  })

  it('claim no more than was run: mlx5 and mtty are confirmed, the others were read', () => {
    const confirmed = flavourNames.filter(name => flavours[name].evidence === 'confirmed')
    assert.deepEqual(confirmed, ['mlx5', 'mtty'])
  })
})
