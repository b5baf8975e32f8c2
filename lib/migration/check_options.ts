// SPDX-License-Identifier: Apache-2.0
import { checkPreflightOptions } from '../checks/preflight.ts'
import type { Clock } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { guarded } from './guarded.ts'
import type { MigrateOptions } from './options.ts'
import { checkLimits, checkParticipant, type MomentLimits } from './participation.ts'
import { presetPolicy, type PresetPolicyOptions } from './policy.ts'
import type { Policy } from './progress.ts'

/** Options that were looked at, with what they leave open filled in. */
export type CheckedOptions = Omit<MigrateOptions, 'from' | 'to' | 'policy'> & {
  readonly from: readonly Device[]
  readonly to: readonly Device[]
  readonly clock: Clock
  readonly policy: Policy
}

/** Everything about the options that can be known before a device is asked. @throws TypeError or RangeError that names one. */
export function checkOptions(options: MigrateOptions): CheckedOptions {
  checkEach(options)
  const { policy, ...others } = options
  const [from, to] = [devicesOf(options.from, 'from'), devicesOf(options.to, 'to')]
  if (from.length !== to.length || from.length === 0) {
    throw new TypeError(
      `migrate() takes as many devices in 'to' as in 'from', and at least one: ${from.length} and ${to.length}`,
    )
  }
  checkPreflightOptions(others)
  return { ...others, from, to, clock: oneClock([...from, ...to]), policy: policyOf(policy, others) }
}

type Check = (value: unknown, name: string) => void

const preset: Readonly<Record<keyof PresetPolicyOptions, Check>> = {
  downtimeLimitMs: anything,
  deadlineMs: anything,
  onDeadline: anything,
  maxRounds: anything,
  onStall: anything,
  onOverrun: anything,
}

/** By its name; what says `anything` is looked at by what it is for. */
const checks: Readonly<Record<keyof MigrateOptions, Check>> = {
  ...preset,
  from: anything,
  to: anything,
  participant: value => checkParticipant(value),
  participantLimits: value => checkLimits(value as MomentLimits),
  participantMs: aDuration,
  policy: aFunction,
  precopy: aBoolean,
  bandwidth: aRate,
  noP2pDma: aBoolean,
  perPfLimit: anything,
  overrides: aListOfIds,
  onStuck: aWord('reset', 'leave'),
  dmaLogging: aDmaLog,
  signal: aSignal,
  onProgress: aFunction,
}

/** Every option that there is. */
export const optionNames: readonly string[] = Object.keys(checks)

/** A name that is misspelt would do nothing. */
function checkEach(options: unknown): void {
  if (!isObject(options)) throw new TypeError(`migrate() takes an object with 'from' and 'to'`)
  for (const [name, value] of Object.entries(options)) {
    if (!(name in checks)) {
      throw new TypeError(
        `migrate() has no option '${name}': there are ${[...optionNames].sort().join(', ')}`,
      )
    }
    if (value !== undefined) checks[name as keyof MigrateOptions](value, name)
  }
}

function policyOf(policy: Policy | undefined, options: PresetPolicyOptions): Policy {
  const preset = presetPolicy(options)
  if (policy === undefined) return preset
  const other = decidedByPolicy.find(name => options[name] !== undefined)
  if (other === undefined) return guarded(policy, options)
  throw new TypeError(`'policy' decides alone: '${other}' would do nothing beside it. Give one of the two`)
}

/** A deadline holds whoever decides. */
const decidedByPolicy = ['downtimeLimitMs', 'maxRounds', 'onStall', 'onOverrun'] as const

/** By what is called on them: another copy of this library makes devices as well. */
function devicesOf(given: unknown, name: 'from' | 'to'): readonly Device[] {
  const devices: unknown[] = Array.isArray(given) ? given : [given]
  for (const device of devices) {
    if (isObject(device) && 'setState' in device) continue
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

function anything(): void {}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function aFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw new TypeError(`'${name}' is a function, and not ${typeof value}`)
}

function aBoolean(value: unknown, name: string): void {
  if (typeof value !== 'boolean') throw new TypeError(`'${name}' is true or false, and not ${typeof value}`)
}

function aRate(value: unknown, name: string): void {
  if (typeof value !== 'number') throw new TypeError(`'${name}' is a number of bytes per second`)
  if (!(value > 0)) throw new RangeError(`'${name}' is more than 0 bytes per second, and not ${value}`)
}

function aDuration(value: unknown, name: string): void {
  if (typeof value !== 'number') throw new TypeError(`'${name}' is a number of milliseconds`)
  if (!(value >= 0 && value < Infinity))
    throw new RangeError(`'${name}' is finite and not negative, and not ${value}`)
}

function aWord(...words: readonly string[]): Check {
  return (value, name) => {
    if (words.includes(value as string)) return
    throw new TypeError(`'${name}' is one of ${words.join(', ')}, and not ${JSON.stringify(value)}`)
  }
}

function aListOfIds(value: unknown, name: string): void {
  if (Array.isArray(value) && value.every(id => typeof id === 'string')) return
  throw new TypeError(`'${name}' is a list of ids of preflight rules`)
}

function aSignal(value: unknown, name: string): void {
  if (value instanceof AbortSignal) return
  throw new TypeError(`'${name}' is an AbortSignal, and not ${typeof value}`)
}

/** The memory is looked at with what else the preflight is told. */
function aDmaLog(value: unknown, name: string): void {
  if (!isObject(value)) throw new TypeError(`'${name}' is an object with ranges, pageSize and onDirty`)
  aFunction((value as Readonly<Record<string, unknown>>).onDirty, `${name}.onDirty`)
}
