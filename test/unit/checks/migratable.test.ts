// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import type { VfioSystemError } from '#lib/errors.js'
import { explainNotMigratable, whyNotMigratable } from '#lib/checks/migratable.js'
import type { DeviceFacts } from '#lib/host/facts.js'
import { kernel, nvme, pf, vf } from './facts.js'

const [EIO, ENOTTY] = [-5, -25]

function idOf(device: DeviceFacts | undefined, release = '7.2.13', answer = ENOTTY): string {
  return whyNotMigratable({ name: 'it', device, answer, kernel: { ...kernel, release } }).id
}

const virtio: DeviceFacts = {
  ...vf,
  driver: 'virtio_vfio_pci',
  pci: { vendor: '1af4', device: '1041', subsystemVendor: '1af4', subsystemDevice: '1100', class: '020000' },
}

describe('whyNotMigratable', () => {
  it('tells a failed question from a no', () => assert.equal(idOf(vf, '7.2.13', EIO), 'failed'))
  it('recognizes a kernel before version 2', () =>
    assert.equal(idOf(vf, '5.15.0-91-generic'), 'kernel-too-old'))
  it('recognizes a driver that did not migrate yet', () =>
    assert.equal(idOf(virtio, '6.12.107'), 'driver-too-old'))
  it('recognizes an mlx5 port that is not migratable', () => assert.equal(idOf(vf), 'mlx5-not-migratable'))
  it('recognizes a virtio device without device parts', () =>
    assert.equal(idOf(virtio), 'virtio-no-device-parts'))
  it('recognizes another driver that declines', () =>
    assert.equal(idOf({ ...vf, driver: 'qat_vfio_pci' }), 'driver-declines'))
  it('recognizes plain vfio-pci on a function that another driver migrates', () =>
    assert.equal(idOf({ ...vf, driver: 'vfio-pci' }), 'other-driver'))
  it('recognizes a device that no driver migrates', () => assert.equal(idOf(nvme), 'no-driver-migrates'))
  it('recognizes a physical function', () =>
    assert.equal(idOf({ ...pf, driver: 'vfio-pci' }), 'no-driver-migrates'))
  it('recognizes a lent fd of which nothing is known', () => assert.equal(idOf(undefined), 'unknown-device'))
})

describe('explainNotMigratable', () => {
  it('gives the commands that bind a function to the driver that migrates it', () => {
    const device = { ...vf, driver: 'vfio-pci' }
    const error = explainNotMigratable({ name: device.name, device, answer: ENOTTY, kernel })
    assert.equal(error.code, 'ERR_VFIO_NOT_MIGRATABLE')
    assert.equal(
      error.message,
      '0000:08:00.2 does not migrate: VFIO_DEVICE_FEATURE_MIGRATION answered ENOTTY. ' +
        '0000:08:00.2 is bound to vfio-pci, which does not migrate. Bind it to mlx5_vfio_pci:\n' +
        '  modprobe mlx5-vfio-pci\n' +
        '  echo 0000:08:00.2 > /sys/bus/pci/devices/0000:08:00.2/driver/unbind\n' +
        '  echo mlx5_vfio_pci > /sys/bus/pci/devices/0000:08:00.2/driver_override\n' +
        '  echo 0000:08:00.2 > /sys/bus/pci/drivers_probe\n' +
        '  or: modprobe mlx5-vfio-pci && driverctl --nosave set-override 0000:08:00.2 mlx5_vfio_pci',
    )
    const cause = error.cause as VfioSystemError
    assert.equal(cause.code, 'ENOTTY')
    assert.equal(cause.request, 'VFIO_DEVICE_FEATURE_MIGRATION')
  })

  it('says too that the driver to bind came with a later kernel', () => {
    const device = { ...virtio, driver: 'vfio-pci' }
    const older = { ...kernel, release: '6.12.107' }
    const { message } = explainNotMigratable({ name: device.name, device, answer: ENOTTY, kernel: older })
    assert.match(message, /virtio_vfio_pci migrates from Linux 6\.13 on, and this is 6\.12\.107/)
  })

  it('names the devlink command, the physical function and the firmware setting for mlx5', () => {
    const { message } = explainNotMigratable({ name: vf.name, device: vf, answer: ENOTTY, kernel })
    assert.match(message, /devlink port function set pci\/0000:08:00\.0\/INDEX migratable enable/)
    assert.match(message, /VF_MIGRATION_MODE=2/)
  })

  it('says that no driver migrates the device', () => {
    const { message } = explainNotMigratable({ name: nvme.name, device: nvme, answer: ENOTTY, kernel })
    assert.match(
      message,
      /is bound to vfio-pci, which does not migrate\. No driver of Linux is known to migrate 1b36:0010\.$/,
    )
  })
})
