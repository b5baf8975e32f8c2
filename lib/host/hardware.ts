// SPDX-License-Identifier: Apache-2.0
import type { DeviceFacts, DeviceKind, PciFacts, Rooted } from './facts.ts'
import { readFirmware, type FirmwareFacts } from './firmware.ts'
import { readPort, type PortFacts } from './port.ts'
import { askTool, type AskTool } from './tool.ts'

/** What a device is, below its driver: what has to be alike on both ends of a migration. Plain JSON. */
export interface HardwareFacts {
  readonly kind: DeviceKind
  readonly pci: PciFacts | undefined
  readonly mdevType: string | undefined
  /** The address of the physical function. */
  readonly physfn: string | undefined
  readonly firmware: FirmwareFacts
  /** The function's port on its physical function's switch; undefined where nothing shows it. */
  readonly port: PortFacts | undefined
}

export interface HardwareOptions extends Rooted {
  /** Tests bring their own. */
  readonly ask?: AskTool | undefined
}

/** Reads what sysfs, devlink and ip show. Opens nothing under /dev/vfio. */
export async function readHardware(
  device: DeviceFacts,
  options: HardwareOptions = {},
): Promise<HardwareFacts> {
  const { kind, pci, mdevType, physfn } = device
  const asking = { ...options, ask: options.ask ?? askTool }
  const [firmware, port] = await Promise.all([readFirmware(device, asking), readPort(device, asking)])
  return { kind, pci, mdevType, physfn: physfn?.name, firmware, port }
}
