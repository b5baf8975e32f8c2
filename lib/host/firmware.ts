// SPDX-License-Identifier: Apache-2.0
import type { DeviceFacts, Rooted } from './facts.ts'
import { attribute, entries } from './sysfs.ts'
import { textWithin, type AskTool } from './tool.ts'

export interface FirmwareFacts {
  /** The version that runs. */
  readonly version: string | undefined
  /** The board that it is made for: NVIDIA's PSID. */
  readonly board: string | undefined
}

/** What the physical function shows of its firmware: below infiniband in sysfs, or else by devlink. */
export async function readFirmware(
  { physfn }: DeviceFacts,
  { ask, ...options }: Rooted & { readonly ask: AskTool },
): Promise<FirmwareFacts> {
  if (physfn === undefined) return { version: undefined, board: undefined }
  const ofSysfs = await readInfiniband(physfn.name, options)
  if (ofSysfs.version !== undefined && ofSysfs.board !== undefined) return ofSysfs
  const handle = `pci/${physfn.name}`
  const ofDevlink = versionsOf(await ask('devlink', ['dev', 'info', handle]), handle)
  return { version: ofSysfs.version ?? ofDevlink.version, board: ofSysfs.board ?? ofDevlink.board }
}

async function readInfiniband(physfn: string, options: Rooted): Promise<FirmwareFacts> {
  const directory = `/sys/bus/pci/devices/${physfn}/infiniband`
  const [device] = await entries(directory, options)
  if (device === undefined) return { version: undefined, board: undefined }
  return {
    version: await attribute(`${directory}/${device}/fw_ver`, options),
    board: await attribute(`${directory}/${device}/board_id`, options),
  }
}

/** Source: Documentation/networking/devlink/devlink-info.rst; drivers differ in what they call fixed. */
function versionsOf(answer: unknown, handle: string): FirmwareFacts {
  const version = (...names: string[]): string | undefined =>
    names
      .flatMap(name => ['running', 'fixed'].map(kind => [kind, name] as const))
      .map(([kind, name]) => textWithin(answer, 'info', handle, 'versions', kind, name))
      .find(text => text !== undefined)
  return { version: version('fw.version', 'fw'), board: version('fw.psid', 'board.id') }
}
