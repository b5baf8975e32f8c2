// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend } from '../backend/seam.ts'
import { MockDevice } from './device.ts'
import { parseMockName } from './mock_name.ts'
import { openRemoteMock } from './remote.ts'

/** What comes before the first colon, and what it opens. */
const schemes: Readonly<Record<string, (name: string) => DeviceBackend | Promise<DeviceBackend>>> = {
  mock: name => new MockDevice(parseMockName(name)).open(),
  'mock+unix': name => openRemoteMock(name.slice('mock+unix:'.length)),
}

/** Opens what `mock:…` names, each time another device, or what another process serves at the path in `mock+unix:…`. */
export async function openMockByName(name: string): Promise<DeviceBackend> {
  const scheme = name.slice(0, name.indexOf(':'))
  const open = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined
  if (open === undefined)
    throw new TypeError(`'${name}' names no mock: there are ${Object.keys(schemes).join(', ')}`)
  return await open(name)
}
