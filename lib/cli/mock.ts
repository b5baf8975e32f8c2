// SPDX-License-Identifier: Apache-2.0
import { isMockName } from '../index.ts'
import type { ResolvedOptions } from '../mock/options.ts'
import type { Keeping } from './keeping.ts'
import { UsageError } from './refusals.ts'

/**
 * What the mock that `name` names is to be; undefined for any other device, and for a mock of another process. Makes none.
 * @throws UsageError for a name of which none can be made.
 */
export async function mockOptionsOf(name: string): Promise<ResolvedOptions | undefined> {
  if (!name.startsWith('mock:')) return undefined
  const { parseMockName, resolveOptions } = await import('../mock/index.ts')
  try {
    return resolveOptions(parseMockName(name))
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    throw new UsageError(`'${name}': ${error.message}`, { cause: error })
  }
}

/** A simulated device has no fd that another program could use. */
export function refuseHandingOn(name: string, { kind }: Keeping): void {
  if (kind !== 'exec' || !isMockName(name)) return
  throw new UsageError(
    `'${name}' is a mock and has no fd to hand on: say --stay or --release instead of --exec`,
  )
}
