// SPDX-License-Identifier: Apache-2.0
import type { DeviceFacts, Rooted } from './facts.ts'
import { entries, linkName } from './sysfs.ts'
import { textWithin, within, type AskTool } from './tool.ts'

/** What was set for a virtual function from outside, on its physical function: none of it is in the function's state. */
export interface PortFacts {
  /** What devlink shows of the function: `roce`, `migratable`, `ipsec_crypto`…; empty without switchdev mode. */
  readonly attributes: Readonly<Record<string, string>>
  /** The address that was set; undefined where none was. */
  readonly mac: string | undefined
  /** The VLAN that is put around its traffic; 0 for none, undefined where it is not shown. */
  readonly vlan: number | undefined
  /** Frames from another address than `mac` are dropped. */
  readonly spoofCheck: boolean | undefined
}

type Asking = Rooted & { readonly ask: AskTool }

/** What devlink and ip show of the port of a virtual function. */
export async function readPort(device: DeviceFacts, options: Asking): Promise<PortFacts | undefined> {
  const physfn = device.physfn?.name
  if (physfn === undefined) return undefined
  const index = await indexOf(device.name, physfn, options)
  if (index === undefined) return undefined
  const [attributes, link] = await Promise.all([
    readAttributes(physfn, index, options),
    readLink(physfn, index, options),
  ])
  if (attributes === undefined && link === undefined) return undefined
  const { hw_addr, ...others } = attributes ?? {}
  const vlan = textWithin(link, 'vlan_list', 0, 'vlan') ?? textWithin(link, 'vlan')
  const spoofCheck = within(link, 'spoofchk')
  return {
    attributes: others,
    // Older ip calls the address mac.
    mac: [textWithin(link, 'address'), textWithin(link, 'mac'), hw_addr].find(isSet)?.toLowerCase(),
    vlan: link === undefined ? undefined : Number(vlan ?? 0),
    spoofCheck: typeof spoofCheck === 'boolean' ? spoofCheck : undefined,
  }
}

/** The kernel shows zeros where nobody has set an address. */
function isSet(address: string | undefined): boolean {
  return address !== undefined && /[1-9a-f]/i.test(address)
}

/** The N of the link virtfnN: what devlink calls vfnum, and ip vf. */
async function indexOf(vf: string, physfn: string, options: Rooted): Promise<number | undefined> {
  const directory = `/sys/bus/pci/devices/${physfn}`
  for (const entry of await entries(directory, options)) {
    const index = /^virtfn(\d+)$/.exec(entry)?.[1]
    if (index !== undefined && (await linkName(`${directory}/${entry}`, options)) === vf) return Number(index)
  }
  return undefined
}

async function readAttributes(
  physfn: string,
  index: number,
  { ask }: Asking,
): Promise<Record<string, string> | undefined> {
  const ports = within(await ask('devlink', ['port', 'show']), 'port')
  if (typeof ports !== 'object' || ports === null) return undefined
  const port = Object.entries(ports).find(
    ([handle, port]) =>
      handle.startsWith(`pci/${physfn}/`) &&
      textWithin(port, 'flavour') === 'pcivf' &&
      textWithin(port, 'vfnum') === String(index),
  )?.[1] as unknown
  const shown = within(port, 'function')
  if (typeof shown !== 'object' || shown === null) return undefined
  const texts = Object.keys(shown).map(name => [name, textWithin(shown, name)] as const)
  return Object.fromEntries(
    texts.flatMap(([name, text]): [string, string][] => (text === undefined ? [] : [[name, text]])),
  )
}

/** The row of `ip link` for the function; without the PF's network interface there is none. */
async function readLink(physfn: string, index: number, { ask, ...options }: Asking): Promise<unknown> {
  for (const netdev of await entries(`/sys/bus/pci/devices/${physfn}/net`, options)) {
    const answer = await ask('ip', ['link', 'show', 'dev', netdev])
    const rows = within(answer, 0, 'vfinfo_list')
    const row = (Array.isArray(rows) ? (rows as unknown[]) : []).find(
      candidate => textWithin(candidate, 'vf') === String(index),
    )
    if (row !== undefined) return row
  }
  return undefined
}
