// SPDX-License-Identifier: Apache-2.0
import { listDevices } from '../index.ts'
import type { Context } from './context.ts'
import { hostDeviceOutput, migratableText } from './migratable.ts'
import type { HostDeviceOutput, ListOutput } from './schemas/list.ts'
import { table } from './table.ts'

/** `vfio-migrate list` */
export async function list(
  _args: readonly string[],
  options: { all?: boolean },
  context: Context,
): Promise<void> {
  const devices = (await listDevices({ all: options.all })).map(hostDeviceOutput)
  const result: ListOutput = { schema: 1, command: 'list', devices }
  context.answer(result, devices.length === 0 ? '' : table(head, devices.map(row)))
  if (devices.length > 0 || context.json) return
  const more = options.all ? '' : '; --all lists virtual functions, too, that a driver would migrate'
  context.say(`No device is bound to a VFIO driver here${more}.`)
}

const head = ['DEVICE', 'DRIVER', 'GROUP', 'NODE', 'NUMA', 'MIGRATES']

function row(device: HostDeviceOutput): string[] {
  const { name, driver = '-', iommuGroup = '-', cdev, groupNode, numaNode = '-' } = device
  return [
    name,
    driver,
    String(iommuGroup),
    cdev ?? groupNode ?? '-',
    String(numaNode),
    migratableText(device),
  ]
}
