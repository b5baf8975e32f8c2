// SPDX-License-Identifier: Apache-2.0
import type { DeviceFacts, Rooted } from './facts.ts'
import { entries, linkName } from './sysfs.ts'
import { textWithin, within, type AskTool } from './tool.ts'

/** What was set for a virtual function from outside, on its physical function: none of it is in the function's state. */
export interface PortFacts {
  /** The function's number on its physical function: N of virtfnN, what ip calls vf and devlink vfnum. */
  readonly index: number
  /** The physical function's network interface, where that shows the function. */
  readonly netdev: string | undefined
  /** What devlink calls the port: `pci/0000:08:00.0/32769`. */
  readonly handle: string | undefined
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
  const [switched, linked] = await Promise.all([
    readSwitched(physfn, index, options),
    readLinked(physfn, index, options),
  ])
  if (switched === undefined && linked === undefined) return undefined
  const { hw_addr, ...attributes } = switched?.attributes ?? {}
  const row = linked?.row
  const vlan = textWithin(row, 'vlan_list', 0, 'vlan') ?? textWithin(row, 'vlan')
  const spoofCheck = within(row, 'spoofchk')
  return {
    index,
    netdev: linked?.netdev,
    handle: switched?.handle,
    attributes,
    // Older ip calls the address mac.
    mac: [textWithin(row, 'address'), textWithin(row, 'mac'), hw_addr].find(isSet)?.toLowerCase(),
    vlan: row === undefined ? undefined : Number(vlan ?? 0),
    spoofCheck: typeof spoofCheck === 'boolean' ? spoofCheck : undefined,
  }
}

/** The kernel shows zeros where nobody has set an address. */
function isSet(address: string | undefined): boolean {
  return address !== undefined && /[1-9a-f]/i.test(address)
}

async function indexOf(vf: string, physfn: string, options: Rooted): Promise<number | undefined> {
  const directory = `/sys/bus/pci/devices/${physfn}`
  for (const entry of await entries(directory, options)) {
    const index = /^virtfn(\d+)$/.exec(entry)?.[1]
    if (index !== undefined && (await linkName(`${directory}/${entry}`, options)) === vf) return Number(index)
  }
  return undefined
}

/** The port in devlink's list. */
async function readSwitched(
  physfn: string,
  index: number,
  { ask }: Asking,
): Promise<{ handle: string; attributes: Record<string, string> } | undefined> {
  const ports = within(await ask('devlink', ['port', 'show']), 'port')
  if (typeof ports !== 'object' || ports === null) return undefined
  const [handle, port] =
    Object.entries<unknown>({ ...ports }).find(
      ([handle, port]) =>
        handle.startsWith(`pci/${physfn}/`) &&
        textWithin(port, 'flavour') === 'pcivf' &&
        textWithin(port, 'vfnum') === String(index),
    ) ?? []
  const shown = within(port, 'function')
  if (handle === undefined || typeof shown !== 'object' || shown === null) return undefined
  const texts = Object.keys(shown).map(name => [name, textWithin(shown, name)] as const)
  const attributes = texts.flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const]))
  return { handle, attributes: Object.fromEntries(attributes) }
}

/** The row of `ip link` for the function; without the PF's network interface there is none. */
async function readLinked(
  physfn: string,
  index: number,
  { ask, ...options }: Asking,
): Promise<{ netdev: string; row: unknown } | undefined> {
  for (const netdev of await entries(`/sys/bus/pci/devices/${physfn}/net`, options)) {
    const rows = within(await ask('ip', ['link', 'show', 'dev', netdev]), 0, 'vfinfo_list')
    const row = (Array.isArray(rows) ? (rows as unknown[]) : []).find(
      candidate => textWithin(candidate, 'vf') === String(index),
    )
    if (row !== undefined) return { netdev, row }
  }
  return undefined
}
