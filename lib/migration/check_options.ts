// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.ts'
import type { Device } from '../device/device.ts'
import type { MigrateOptions } from './options.ts'
import { presetPolicy } from './policy.ts'
import type { Policy } from './progress.ts'

/** Options that were looked at, with what they leave open filled in. */
export type CheckedOptions = Omit<MigrateOptions, 'from' | 'to' | 'policy'> & {
  readonly from: readonly Device[]
  readonly to: readonly Device[]
  readonly clock: Clock
  readonly policy: Policy
}

/** @throws TypeError or RangeError that names the option. */
export function checkOptions(options: MigrateOptions): CheckedOptions {
  const { policy, ...others } = options
  const [from, to] = [devicesOf(options.from, 'from'), devicesOf(options.to, 'to')]
  if (from.length !== to.length || from.length === 0) {
    throw new TypeError(
      `migrate() takes as many devices in 'to' as in 'from', and at least one: ${from.length} and ${to.length}`,
    )
  }
  checkBandwidth(options.bandwidth)
  return { ...others, from, to, clock: oneClock([...from, ...to]), policy: policy ?? presetPolicy(others) }
}

/** By what is called on them: another copy of this library makes devices as well. */
function devicesOf(given: unknown, name: 'from' | 'to'): readonly Device[] {
  const devices: unknown[] = Array.isArray(given) ? given : [given]
  for (const device of devices) {
    if (typeof device === 'object' && device !== null && 'setState' in device) continue
    throw new TypeError(
      `migrate() takes a Device, or several, as '${name}': give it what openDevice() resolves with`,
    )
  }
  return devices as Device[]
}

/** The times of one report must be times of one clock, and simulated time waits for nobody outside of it. */
function oneClock([first, ...others]: readonly Device[]): Clock {
  const other = others.find(({ clock }) => clock !== first?.clock)
  if (first === undefined || other) {
    throw new TypeError(
      `'${first?.name}' and '${other?.name}' live by two clocks, and a migration has one: give both mocks the same clock, or none`,
    )
  }
  return first.clock
}

function checkBandwidth(bandwidth: unknown): void {
  if (bandwidth === undefined) return
  if (typeof bandwidth !== 'number') throw new TypeError(`'bandwidth' is a number of bytes per second`)
  if (!(bandwidth > 0)) throw new RangeError(`'bandwidth' is more than 0 bytes per second: ${bandwidth}`)
}
