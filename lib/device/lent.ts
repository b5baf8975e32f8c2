// SPDX-License-Identifier: Apache-2.0
import { loadAddon } from '../backend/native.ts'
import type { Companions, DeviceBackend } from '../backend/seam.ts'
import { monotonicClock } from '../clock.ts'
import { VfioError, VfioSystemError } from '../errors.ts'
import { describeFd } from '../host/fd.ts'
import { errno } from '../kernel/errno.ts'

/**
 * An open device that another process drives, as the fds that it passed: the device's, already bound to its iommufd or
 * opened through its group, and whatever else must stay open as long as it is used. All become this library's to close.
 */
export interface LentDevice extends Companions {
  readonly fd: number
}

/** Takes over a lent fd; refuses, and leaves alone, one that is no VFIO device. @internal */
export async function adoptFd(lent: LentDevice): Promise<DeviceBackend> {
  const { fd, ...companions } = lent
  const numbers = numbersOf(lent)
  const facts = await describeFd(fd)
  if (facts === undefined || facts.kind === 'other') {
    const what = facts === undefined ? 'not open' : `'${facts.link}'`
    throw new VfioError(
      'ERR_VFIO_NO_DEVICE',
      `fd ${fd} is no VFIO device: it is ${what}. It was left as it is`,
    )
  }
  const addon = loadAddon()
  const { calls, result } = addon.adopt(fd, companions)
  if (calls === undefined) throw refusal(result, numbers)
  return {
    name: facts.device?.name ?? `fd:${fd}`,
    driver: facts.device?.driver,
    origin: 'lent',
    via: 'fd',
    clock: monotonicClock,
    calls,
    barrier: addon.barrier,
  }
}

/** Each will be closed once, so each may be there once. */
function numbersOf({ fd, iommufd, group, container }: LentDevice): number[] {
  const numbers = [fd, iommufd, group, container].filter(number => number !== undefined)
  for (const [i, number] of numbers.entries()) {
    if (!Number.isInteger(number) || number < 0)
      throw new TypeError(`${number} is no fd: an fd is a whole number from 0`)
    if (numbers.indexOf(number) < i)
      throw new TypeError(
        `fd ${number} was given twice: each becomes this library's to close, so lend a dup of it`,
      )
  }
  return numbers
}

/** Why the addon took none of them. @internal */
export function refusal(result: number, numbers: readonly number[]): Error {
  const [fd] = numbers
  const device = `fd:${fd}`
  if (result !== -errno.EBUSY) return new VfioSystemError(result, { syscall: 'pthread_create' }, { device })
  const which = numbers.length === 1 ? `fd ${fd}` : `one of the fds ${numbers.join(', ')}`
  return new VfioError(
    'ERR_VFIO_BUSY',
    `${which} was lent already and is not closed yet: close that device first, or lend a dup. Nothing was taken`,
    { device },
  )
}
