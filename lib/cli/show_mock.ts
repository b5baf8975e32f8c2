// SPDX-License-Identifier: Apache-2.0
import { openDevice, type Capabilities } from '../index.ts'
import { driverManners } from '../kernel/drivers.ts'
import type { MockDevice } from '../mock/device.ts'
import type { WhyNot } from '../mock/not_migratable.ts'
import type { Context } from './context.ts'
import { migratableText } from './migratable.ts'
import { mockNamed, simulationOutput } from './mock.ts'
import { bytesText, msText } from './quantity.ts'
import type { HostDeviceOutput } from './schemas/list.ts'
import type { SimulationOutput } from './schemas/parts.ts'
import type { ShowOutput } from './schemas/show.ts'
import { pairs } from './table.ts'

type Told = Pick<ShowOutput, 'device' | 'remedy' | 'simulation'>

/** `vfio-migrate show mock:…`: what the name would make; one of another process is asked. */
export async function showMock(name: string, context: Context): Promise<void> {
  const mock = await mockNamed(name)
  const told = mock ? await madeOf(mock) : await askedFor(name)
  const { device, remedy, simulation } = told
  const result: ShowOutput = { schema: 1, command: 'show', ...told }
  const rows: [string, string | undefined][] = [
    ['device', device.name],
    ['kind', `${device.kind}, simulated`],
    ['PCI id', device.pciId],
    ['driver', device.driver],
    ['migrates', migratableText(device)],
    ['remedy', remedy],
    ...(simulation ? simulationRows(simulation) : []),
  ]
  context.answer(result, pairs(rows))
}

async function madeOf(mock: MockDevice): Promise<Told> {
  const { whyNotMigratable } = await import('../mock/not_migratable.ts')
  const { name, flavour, kernel, capabilities } = mock.options
  const facts = { name, driver: flavour.driver, capabilities }
  const whyNot = capabilities.stopCopy ? undefined : whyNotMigratable(flavour.driver, kernel)
  return { ...toldOf(facts, whyNot), simulation: await simulationOutput(mock) }
}

async function askedFor(name: string): Promise<Told> {
  const { openMockByName } = await import('../mock/by_name.ts')
  const { whyBackendDoesNotMigrate } = await import('../mock/not_migratable.ts')
  const backend = await openMockByName(name)
  const device = await openDevice(backend)
  try {
    const { stopCopy } = device.capabilities
    return toldOf(device, stopCopy ? undefined : await whyBackendDoesNotMigrate(backend))
  } finally {
    await device.close()
  }
}

interface Facts {
  readonly name: string
  readonly driver: string | undefined
  readonly capabilities: Capabilities
}

function toldOf({ name, driver, capabilities }: Facts, whyNot: WhyNot | undefined): Told {
  const pciId = driverManners(driver)?.pciIds[0]
  const device: HostDeviceOutput = {
    name,
    kind: pciId === undefined ? 'mdev' : 'pci',
    mock: true,
    driver,
    vfio: true,
    noiommu: false,
    pciId,
    migratable: capabilities.stopCopy,
    why: whyNot?.cause,
    features: featureNames.filter(([field]) => capabilities[field]).map(([, feature]) => feature),
  }
  return { device, remedy: whyNot?.remedy }
}

/** The names that debugfs has for them. */
const featureNames: readonly [keyof Capabilities, string][] = [
  ['stopCopy', 'stop-copy'],
  ['p2p', 'p2p'],
  ['preCopy', 'pre-copy'],
  ['dmaLogging', 'dirty-tracking'],
]

function simulationRows(simulation: SimulationOutput): [string, string | undefined][] {
  const { kernel, flavour, evidence, size, workload, options, faults } = simulation
  const manners = evidence === 'confirmed' ? 'confirmed by the driver itself' : 'from its source, not run'
  const { bytesPerSecond, workingSet } = workload
  const writes =
    bytesPerSecond === 0 ? 'none' : `${bytesText(bytesPerSecond)} a second into ${bytesText(workingSet)}`
  const lines = Object.entries(options).map(([name, value]) => `${name} ${valueText(name, value)}`)
  return [
    ['kernel', `as Linux ${kernel}`],
    ['manners', `${flavour}: ${manners}`],
    ['state', bytesText(size)],
    ['workload', writes],
    ['options', lines.length > 0 ? lines.join('\n') : undefined],
    ['faults', faults.length > 0 ? faults.join('\n') : undefined],
  ]
}

function valueText(name: string, value: string | number | boolean): string {
  if (typeof value !== 'number' || name === 'dmaLog.maxRanges') return String(value)
  if (name.startsWith('latency.')) return msText(value)
  return name.startsWith('bandwidth.') ? `${bytesText(value)} a second` : bytesText(value)
}
