// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import { lockDevice, type DeviceLock } from '../device/lock.ts'

/**
 * Does `work` while no other process migrates one of the devices.
 * @throws VfioError ERR_VFIO_LOCKED where one does.
 */
export async function withLocks<T>(devices: readonly Device[], work: () => Promise<T>): Promise<T> {
  const locks: DeviceLock[] = []
  try {
    for (const device of new Set(devices)) locks.push(await lockDevice(device))
    return await work()
  } finally {
    for (const lock of locks) lock.release()
  }
}
