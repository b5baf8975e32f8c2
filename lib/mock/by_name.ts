// SPDX-License-Identifier: Apache-2.0
import type { DeviceBackend } from '../backend/seam.ts'
import { MockDevice } from './device.ts'
import { parseMockName } from './mock_name.ts'
import { resolveOptions } from './options.ts'
import { openRemoteMock } from './remote.ts'

interface Scheme {
  /** Throws for a name of which nothing can come; makes and reaches nothing. */
  readonly check: (name: string) => void
  readonly open: (name: string) => DeviceBackend | Promise<DeviceBackend>
}

const unix = 'mock+unix:'

/** What comes before the first colon. */
const schemes: Readonly<Record<string, Scheme>> = {
  mock: {
    check: name => void resolveOptions(parseMockName(name)),
    open: name => new MockDevice(parseMockName(name)).open(),
  },
  'mock+unix': {
    check: name => void pathOf(name),
    open: name => openRemoteMock(pathOf(name)),
  },
}

function schemeOf(name: string): Scheme {
  const text = name.slice(0, name.indexOf(':'))
  const scheme = Object.hasOwn(schemes, text) ? schemes[text] : undefined
  if (scheme !== undefined) return scheme
  throw new TypeError(`'${name}' names no mock: there are ${Object.keys(schemes).join(': and ')}:`)
}

function pathOf(name: string): string {
  const path = name.slice(unix.length)
  if (path !== '' && !path.includes('\0')) return path
  throw new TypeError(`'${name}' names no socket: write ${unix} and its path, ${unix}/run/mock for instance`)
}

/**
 * Looks whether the name could be that of a mock, and makes none.
 * @throws TypeError or RangeError for one that could not.
 */
export function checkMockName(name: string): void {
  schemeOf(name).check(name)
}

/** Opens what `mock:…` names, each time another device, or what another process serves at the path in `mock+unix:…`. */
export async function openMockByName(name: string): Promise<DeviceBackend> {
  return await schemeOf(name).open(name)
}
