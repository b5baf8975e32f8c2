// SPDX-License-Identifier: Apache-2.0
import { loadAddon } from '../backend/native.ts'
import type { DeviceBackend } from '../backend/seam.ts'
import { monotonicClock } from '../clock.ts'
import { VfioError, VfioSystemError } from '../errors.ts'
import { describeFd } from '../host/fd.ts'

/**
 * An open device that another process drives, as the fds that it passed: the device's, already bound to its iommufd or
 * opened through its group, and whatever else must stay open as long as it is used. All become this library's to close.
 */
export interface LentDevice {
  readonly fd: number
  readonly iommufd?: number
  readonly group?: number
  readonly container?: number
}

/** Takes over a lent fd; refuses, and leaves alone, one that is no VFIO device. @internal */
export async function adoptFd(lent: LentDevice): Promise<DeviceBackend> {
  const { fd } = lent
  const companions = [lent.iommufd, lent.group, lent.container].filter(number => number !== undefined)
  for (const number of [fd, ...companions]) checkNumber(number)
  const facts = await describeFd(fd)
  if (facts === undefined || facts.kind === 'other') {
    const what = facts === undefined ? 'not open' : `'${facts.link}'`
    throw new VfioError(
      'ERR_VFIO_NO_DEVICE',
      `fd ${fd} is no VFIO device: it is ${what}. It was left as it is`,
    )
  }
  const { calls, result } = loadAddon().adopt(fd, companions)
  if (calls === undefined)
    throw new VfioSystemError(result, { syscall: 'pthread_create' }, { device: `fd:${fd}` })
  return {
    name: facts.device?.name ?? `fd:${fd}`,
    driver: facts.device?.driver,
    origin: 'lent',
    via: 'fd',
    clock: monotonicClock,
    calls,
  }
}

function checkNumber(fd: number): void {
  if (!Number.isInteger(fd) || fd < 0) throw new TypeError(`${fd} is no fd: an fd is a whole number from 0`)
}
