// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { driverForId, driverManners, knownDrivers, precopyClass } from '#lib/kernel/drivers.js'

describe('driverManners', () => {
  it('knows mtty as the one driver whose state outlives its sessions', () => {
    assert.deepEqual(
      knownDrivers.filter(row => row.resetAtOpen).map(row => row.driver),
      ['mtty'],
    )
  })

  it('knows nothing of a stranger', () => {
    assert.equal(driverManners('nvgrace_gpu_vfio_pci'), undefined)
    assert.equal(driverManners(undefined), undefined)
  })
})

describe('driverForId', () => {
  it('finds the driver of a ConnectX virtual function', () => {
    assert.equal(driverForId('15b3:101e')?.driver, 'mlx5_vfio_pci')
  })

  it('finds none for an NVMe controller', () => assert.equal(driverForId('1b36:0010'), undefined))

  it('has every id once, in lower case', () => {
    const ids = knownDrivers.flatMap(row => row.pciIds)
    assert.equal(new Set(ids).size, ids.length)
    for (const id of ids) assert.match(id, /^[0-9a-f]{4}:[0-9a-f]{4}$/)
  })
})

describe('precopyClass', () => {
  it('is what the driver does', () => {
    assert.equal(precopyClass('mlx5_vfio_pci', true), 'incremental')
    assert.equal(precopyClass('virtio_vfio_pci', true), 'full')
    assert.equal(precopyClass('qat_vfio_pci', true), 'setup')
  })

  it('is none for a device without that capability', () =>
    assert.equal(precopyClass('mlx5_vfio_pci', false), 'none'))

  it('takes a stranger by the word of vfio.h', () =>
    assert.equal(precopyClass('nvgrace_gpu_vfio_pci', true), 'incremental'))
})
