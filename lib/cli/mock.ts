// SPDX-License-Identifier: Apache-2.0
import { isMockName } from '../index.ts'
import type { MockDevice } from '../mock/device.ts'
import type { Context } from './context.ts'
import type { Keeping } from './keeping.ts'
import type { SimulationOutput } from './schemas/parts.ts'
import { UsageError } from './refusals.ts'

/**
 * Refuses a name of which no mock can be made; makes none. Any other name is none of its business.
 * @throws UsageError
 */
export async function checkMock(name: string): Promise<void> {
  if (!isMockName(name)) return
  const { checkMockName } = await import('../mock/by_name.ts')
  try {
    checkMockName(name)
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    const text = error.message.startsWith(`'${name}'`) ? error.message : `'${name}': ${error.message}`
    throw new UsageError(text, { cause: error })
  }
}

/** The mock that `name` makes; undefined for any other device, and for a mock of another process. */
export async function mockNamed(name: string): Promise<MockDevice | undefined> {
  await checkMock(name)
  if (!name.startsWith('mock:')) return undefined
  const { MockDevice, parseMockName } = await import('../mock/index.ts')
  return new MockDevice(parseMockName(name))
}

/** A simulated device has no fd that another program could use. */
export function refuseHandingOn(name: string, { kind }: Keeping): void {
  if (kind !== 'exec' || !isMockName(name)) return
  throw new UsageError(
    `'${name}' is a mock and has no fd to hand on: say --stay or --release instead of --exec`,
  )
}

/** A fault that was never reached was not tested. */
export async function sayUnusedFaults(mock: MockDevice, context: Context): Promise<void> {
  const unused = mock.unusedFaults()
  if (unused.length === 0) return
  const { faultText } = await import('../mock/fault_text.ts')
  for (const fault of unused) context.say(`'${mock.name}': its fault ${faultText(fault)} was never reached`)
}

/** What a mock of this process is, as JSON has it. */
export async function simulationOutput({ options }: MockDevice): Promise<SimulationOutput> {
  const { differences } = await import('../mock/option_differences.ts')
  const { faultText } = await import('../mock/fault_text.ts')
  const { flavour, kernel, size, dirty, workingSet, faults } = options
  return {
    flavour: flavour.name,
    kernel,
    evidence: flavour.evidence,
    size,
    workload: { bytesPerSecond: dirty, workingSet },
    options: differences(options),
    faults: faults.map(faultText),
  }
}
