// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto'
import { findingsOf } from '../checks/preflight.ts'
import type { Finding, Machines, PairFacts, PreflightOptions, SideFacts } from '../checks/preflight_facts.ts'
import type { Device } from '../device/device.ts'
import { isVfioError, VfioError } from '../errors.ts'
import { findDevice } from '../host/find.ts'
import { readHardware, type HardwareFacts, type HardwareOptions } from '../host/hardware.ts'
import { machineFacts, noMachine, type MachineFacts } from '../host/machine.ts'

/** What one side of a migration tells of itself before it. Plain JSON. */
export interface SideStatus {
  readonly devices: readonly SideFacts[]
  readonly machine: MachineFacts
}

/**
 * Asks the devices of one side, and the machine that they are on. Simulated ones have none, and nothing of it is read.
 *
 * @throws what `state()` does for a device that is closed or poisoned.
 */
export async function sideFacts(
  devices: readonly Device[],
  options: HardwareOptions = {},
): Promise<SideStatus> {
  const facts = await Promise.all(devices.map(device => deviceFacts(device, options)))
  const simulated = devices.every(({ mock }) => mock)
  return { devices: facts, machine: simulated ? noMachine : await machineFacts(options) }
}

/** What is to be known of a device before it moves. Touches nothing. */
export async function deviceFacts(device: Device, options: HardwareOptions = {}): Promise<SideFacts> {
  const { name, driver, mock, origin, capabilities } = device
  return {
    name,
    handle: handleOf(device),
    driver,
    mock,
    origin,
    capabilities,
    ...(await stateOf(device)),
    hardware: mock ? undefined : await hardwareOf(name, options),
  }
}

/** Weak: a device is forgotten with its object. */
const handles = new WeakMap<Device, string>()

function handleOf(device: Device): string {
  const handle = handles.get(device) ?? randomUUID()
  handles.set(device, handle)
  return handle
}

/** A device that does not migrate is for the rules to tell of, with all else that is the matter. */
async function stateOf(device: Device): Promise<Pick<SideFacts, 'state' | 'stateBytes' | 'notMigratable'>> {
  try {
    const state = await device.state()
    const stateBytes = await device.stopCopyBytes().catch(() => undefined)
    return { state, stateBytes, notMigratable: undefined }
  } catch (error) {
    if (!isVfioError(error) || error.code !== 'ERR_VFIO_NOT_MIGRATABLE') throw error
    return { state: undefined, stateBytes: undefined, notMigratable: error.message }
  }
}

/** A lent fd, or a backend of another kind, need not be in sysfs. */
async function hardwareOf(name: string, options: HardwareOptions): Promise<HardwareFacts | undefined> {
  try {
    return await readHardware(await findDevice(name, { root: options.root }), options)
  } catch (error) {
    if (isVfioError(error) && error.code === 'ERR_VFIO_NO_DEVICE') return undefined
    throw error
  }
}

/**
 * Every rule that applies, all at once: nothing is touched. An overridden one is told as well.
 * @throws TypeError, RangeError for options that cannot be meant.
 */
export function preflight(
  pairs: readonly PairFacts[],
  machines: Machines,
  options: PreflightOptions = {},
): Finding[] {
  return findingsOf({ pairs, machines, options })
}

/** A migration that was refused before anything was touched. `findings` are all of them, the warnings too. */
export class PreflightError extends VfioError {
  readonly findings: readonly Finding[]

  constructor(message: string, findings: readonly Finding[], device: string | undefined) {
    super('ERR_VFIO_REFUSED', message, { device })
    this.findings = findings
  }
}

/** One ERR_VFIO_REFUSED for everything that refuses, with the remedies; undefined where nothing does. */
export function refuse(findings: readonly Finding[]): PreflightError | undefined {
  const refusals = findings.filter(({ level, overridden }) => level === 'refuse' && !overridden)
  const [only, ...others] = refusals
  if (only === undefined) return undefined
  if (others.length === 0) return new PreflightError(wordsOf(only), findings, only.device)
  const list = refusals.map(finding => `\n- ${wordsOf(finding)}`).join('')
  const text = `The migration was refused for ${refusals.length} reasons; nothing was touched.${list}`
  return new PreflightError(text, findings, undefined)
}

function wordsOf({ id, cause, remedy, overridable }: Finding): string {
  const override = overridable ? `Where it is meant so, override ${id}.` : undefined
  return [cause, remedy, override].filter(Boolean).join(' ')
}
