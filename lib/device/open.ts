// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend, Openable } from '../backend/seam.ts'
import { throwIfAborted } from '../abort.ts'
import type { Device } from './device.ts'
import { checkBuffers, type Buffers } from './buffers.ts'
import { adoptFd, type LentDevice } from './lent.ts'
import { openByName, type OpenOptions } from './by_name.ts'
import { identify } from './identify.ts'

export type { Buffers, LentDevice, OpenOptions }

/**
 * Opens a device and asks what it can do.
 *
 * By name (PCI address, mdev UUID, `vfio3`, a path below /dev/vfio or /sys) through its own node and /dev/iommu where
 * both open, otherwise through its group and a type1 container. **Opening a PCI function by name resets it, and so does
 * its last close**: a device with living state is lent as `{ fd }` by the process that drives it. The fd numbers given
 * become this library's to close; the device behind them stays the lender's and is not reset.
 *
 * A `MockDevice` is opened as its options say, and `mock:…` makes one by its name.
 *
 * A device without migration opens as well: `capabilities.stopCopy` is false then.
 */
export async function openDevice(
  target: string | LentDevice | Openable | DeviceBackend,
  options: OpenOptions = {},
): Promise<Device> {
  throwIfAborted(options.signal)
  checkBuffers(options.buffers)
  const backend = await backendOf(target, options)
  try {
    throwIfAborted(options.signal)
    return await identify(backend, options)
  } catch (error) {
    await backend.calls.close()
    throw error
  }
}

async function backendOf(
  target: string | LentDevice | Openable | DeviceBackend,
  options: OpenOptions,
): Promise<DeviceBackend> {
  if (typeof target === 'string') return await openByName(target, options)
  const given: unknown = target
  if (typeof given === 'object' && given !== null) {
    if ('calls' in target) return target
    if ('fd' in target) return await adoptFd(target)
    if ('open' in target) return await target.open()
  }
  throw new TypeError(`openDevice() takes a name, { fd }, a MockDevice or a backend, not ${String(given)}`)
}
