// SPDX-License-Identifier: Apache-2.0
import type { DeviceFacts } from '../host/facts.ts'
import { migratingDriver } from '../host/list.ts'
import type { DriverManners } from '../kernel/drivers.ts'

/** The commands that bind a PCI function to `row`'s driver, whatever it is bound to now. Run as root. */
export function bindCommands({ name, driver }: DeviceFacts, row: DriverManners): string[] {
  const path = `/sys/bus/pci/devices/${name}`
  const unbind = driver === undefined ? [] : [`echo ${name} > ${path}/driver/unbind`]
  return [
    `modprobe ${row.module}`,
    ...unbind,
    `echo ${row.driver} > ${path}/driver_override`,
    `echo ${name} > /sys/bus/pci/drivers_probe`,
  ]
}

/** What to bind the device to so that it migrates, with the commands; or why nothing can be bound that would. */
export function bindRemedy(device: DeviceFacts): string {
  const row = migratingDriver(device)
  if (row === undefined) return noMigratingDriver(device)
  const driverctl = `driverctl --nosave set-override ${device.name} ${row.driver}`
  const lines = [...bindCommands(device, row), `or: modprobe ${row.module} && ${driverctl}`]
  return [`Bind it to ${row.driver}:`, ...lines.map(line => `  ${line}`)].join('\n')
}

/** Why no driver would migrate the device. */
export function noMigratingDriver({ name, pci, mdevType, physfn }: DeviceFacts): string {
  if (pci === undefined) return `No known driver migrates mdevs of type ${mdevType ?? 'unknown'}.`
  const id = `${pci.vendor}:${pci.device}`
  if (physfn === undefined) return `${name} (${id}) is no virtual function, and drivers migrate only those.`
  return `No driver of Linux is known to migrate ${id}.`
}
