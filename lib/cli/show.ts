// SPDX-License-Identifier: Apache-2.0
import {
  describeFd,
  findDevice,
  isMockName,
  kernelFacts,
  VfioError,
  whyNotMigratable,
  type HostDevice,
} from '../index.ts'
import { errno } from '../kernel/errno.ts'
import type { Context } from './context.ts'
import { lentFd } from './hand.ts'
import { hostDeviceOutput, migratableText } from './migratable.ts'
import type { HostDeviceOutput } from './schemas/list.ts'
import type { ShowOutput } from './schemas/show.ts'
import { pairs } from './table.ts'

/** `vfio-migrate show DEVICE` */
export async function show(
  [name = '']: readonly string[],
  _options: object,
  context: Context,
): Promise<void> {
  if (isMockName(name)) {
    const { showMock } = await import('./show_mock.ts')
    await showMock(name, context)
    return
  }
  const device = await factsOf(name)
  const output = hostDeviceOutput(device)
  const remedy = output.migratable === false ? await remedyFor(device) : undefined
  const result: ShowOutput = { schema: 1, command: 'show', device: output, remedy }
  context.answer(result, pairs(rows(output, remedy)))
}

/** The facts of a device that is named in any way, fd:N included. */
async function factsOf(name: string): Promise<HostDevice> {
  const fd = lentFd(name)
  if (fd === undefined) return await findDevice(name)
  const facts = await describeFd(fd)
  if (facts?.device) return facts.device
  const what =
    facts === undefined ? 'it is not open' : `it is '${facts.link}', and the kernel does not tell more`
  throw new VfioError('ERR_VFIO_NO_DEVICE', `There is no telling which device fd ${fd} is: ${what}`)
}

async function remedyFor(device: HostDevice): Promise<string> {
  const kernel = await kernelFacts()
  // What a driver without migration answers.
  return whyNotMigratable({ name: device.name, device, answer: -errno.ENOTTY, kernel }).remedy
}

function rows(device: HostDeviceOutput, remedy: string | undefined): [string, string | undefined][] {
  const { kind, mdevType, numaNode, groupNode, noiommu } = device
  return [
    ['device', device.name],
    ['kind', mdevType === undefined ? kind : `${kind} ${mdevType}`],
    ['PCI id', device.pciId],
    ['PF', device.physfn],
    ['driver', device.driver ?? 'none'],
    ['IOMMU group', device.iommuGroup?.toString()],
    ['group node', noiommu ? `${groupNode} (no IOMMU behind it)` : groupNode],
    ['cdev', device.cdev],
    ['NUMA node', numaNode?.toString()],
    ['sysfs', device.sysfsPath],
    ['migrates', migratableText(device)],
    ['remedy', remedy],
  ]
}
