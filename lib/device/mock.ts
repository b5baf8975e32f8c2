// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend } from '../backend/seam.ts'
import type { OpenOptions } from './by_name.ts'

/** True for a name by which `openDevice` makes a mock, or reaches one: `mock:size=64MiB`, `mock+unix:/run/mock`. */
export function isMockName(name: string): boolean {
  return /^mock(\+[a-z]+)?:/.test(name)
}

/** Opens the mock that is named. Nothing else loads the mock. @internal */
export async function openMock(name: string, { via, vfToken }: OpenOptions): Promise<DeviceBackend> {
  if ((via ?? vfToken) !== undefined) throw new TypeError(`'${name}' is a mock: via and vfToken do not apply`)
  const { openMockByName } = await import('../mock/by_name.ts')
  return await openMockByName(name)
}
