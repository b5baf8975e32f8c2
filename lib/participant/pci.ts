// SPDX-License-Identifier: Apache-2.0
import type { Device } from '../device/device.ts'
import type { Participant } from '../migration/participant.ts'
import { barCount, readPciConfig, restorePciConfig, type MsixPlace, type PciConfig } from './pci_config.ts'

/**
 * Carries what a device's stream lacks and this process can reach without a VMM: the command register and the BARs, read
 * at `quiesce` and put back at `restored`. The MSI-X layout and the sizes of the BARs must be alike. Vectors are not
 * carried: VFIO hides their table, and enables them with eventfds only that whoever handles them has
 * (VFIO_DEVICE_SET_IRQS).
 */
export function pciParticipant(): Participant {
  let saved: readonly Uint8Array[] = []
  return {
    async quiesce({ devices }) {
      // Nobody drives the device any more, and it is still where its regions may be touched.
      saved = await Promise.all(devices.map(async device => encode(await readPciConfig(device))))
    },
    stopped: () => saved,
    async restored({ devices, sideData }) {
      await Promise.all(devices.map(async (device, index) => await restore(device, sideData[index])))
    },
  }
}

const version = 1

/** JSON: the version, and the config of a device that has one. */
function encode(config: PciConfig | undefined): Uint8Array {
  return Buffer.from(JSON.stringify({ version, config: config ?? null }))
}

async function restore(device: Device, sideData: Uint8Array = new Uint8Array()): Promise<void> {
  if (sideData.length === 0) {
    throw new Error(
      `of '${device.name}' the source has sent no config space: it needs this participant as well`,
    )
  }
  const config = decode(device.name, sideData)
  if (config) await restorePciConfig(device, config)
}

function decode(name: string, sideData: Uint8Array): PciConfig | null {
  const value = parse(sideData)
  if (isRecord(value) && value.version !== undefined && value.version !== version) {
    throw new Error(
      `the config space of '${name}' was sent in version ${JSON.stringify(value.version)}, not 1`,
    )
  }
  if (isRecord(value) && value.version === version) {
    if (value.config === null || isConfig(value.config)) return value.config
  }
  throw new Error(`what came as the config space of '${name}' is none`)
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isConfig(value: unknown): value is PciConfig {
  if (!isRecord(value)) return false
  const { command, bars, barBytes, msix } = value
  return isCount(command, 0xffff) && isBars(bars, 0xffffffff) && isBars(barBytes) && isMsix(msix)
}

function isBars(value: unknown, most?: number): boolean {
  return Array.isArray(value) && value.length === barCount && value.every(bar => isCount(bar, most))
}

function isMsix(value: unknown): boolean {
  if (value === null) return true
  if (!isRecord(value)) return false
  return isCount(value.vectors, 2048) && isPlace(value.table) && isPlace(value.pendingBits)
}

function isPlace(value: unknown): value is MsixPlace {
  return isRecord(value) && isCount(value.bar, 7) && isCount(value.offset, 0xffffffff)
}

function isCount(value: unknown, most: number = Number.MAX_SAFE_INTEGER): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most
}
