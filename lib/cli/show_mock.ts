// SPDX-License-Identifier: Apache-2.0
import { openDevice, type Capabilities } from '../index.ts'
import { driverManners } from '../kernel/drivers.ts'
import type { ResolvedOptions } from '../mock/options.ts'
import type { Context } from './context.ts'
import { migratableText } from './migratable.ts'
import { mockOptionsOf } from './mock.ts'
import { bytesText } from './quantity.ts'
import type { HostDeviceOutput } from './schemas/list.ts'
import type { ShowOutput } from './schemas/show.ts'
import { pairs } from './table.ts'

/** `vfio-migrate show mock:…`: what the name would make; one of another process is asked. */
export async function showMock(name: string, context: Context): Promise<void> {
  const options = await mockOptionsOf(name)
  const device = options ? madeOf(options) : await askedFor(name)
  const result: ShowOutput = { schema: 1, command: 'show', device }
  const rows: [string, string | undefined][] = [
    ['device', device.name],
    ['kind', `${device.kind}, simulated`],
    ['PCI id', device.pciId],
    ['driver', device.driver],
    ['migrates', migratableText(device)],
  ]
  context.answer(result, pairs(options ? [...rows, ...simulationRows(options)] : rows))
}

function madeOf({ name, flavour, capabilities }: ResolvedOptions): HostDeviceOutput {
  return outputOf(name, flavour.driver, capabilities)
}

async function askedFor(name: string): Promise<HostDeviceOutput> {
  const device = await openDevice(name)
  try {
    return outputOf(device.name, device.driver, device.capabilities)
  } finally {
    await device.close()
  }
}

function outputOf(name: string, driver: string | undefined, capabilities: Capabilities): HostDeviceOutput {
  const pciId = driverManners(driver)?.pciIds[0]
  const { stopCopy } = capabilities
  return {
    name,
    kind: pciId === undefined ? 'mdev' : 'pci',
    mock: true,
    driver,
    vfio: true,
    noiommu: false,
    pciId,
    migratable: stopCopy,
    why: stopCopy ? undefined : 'it was made without, or its driver does not on that kernel',
    features: featureNames.filter(([field]) => capabilities[field]).map(([, feature]) => feature),
  }
}

/** The names that debugfs has for them. */
const featureNames: readonly [keyof Capabilities, string][] = [
  ['stopCopy', 'stop-copy'],
  ['p2p', 'p2p'],
  ['preCopy', 'pre-copy'],
  ['dmaLogging', 'dirty-tracking'],
]

function simulationRows({ kernel, flavour, size, dirty, workingSet }: ResolvedOptions): [string, string][] {
  const evidence =
    flavour.evidence === 'confirmed' ? 'confirmed by the driver itself' : 'from its source, not run'
  const writes = dirty === 0 ? 'none' : `${bytesText(dirty)} a second into ${bytesText(workingSet)}`
  return [
    ['kernel', `as Linux ${kernel}`],
    ['manners', `${flavour.name}: ${evidence}`],
    ['state', bytesText(size)],
    ['workload', writes],
  ]
}
